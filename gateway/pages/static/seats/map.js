// The map of the seats: a box to pan in, buttons to zoom, and a line about the seat pointed at.

import { html, render } from "../vendor/lit-html/lit-html.js";
import { price, seatName } from "../shell/format.js";
import { CanvasDrawing } from "./canvas-drawing.js";
import { bounds, OVERVIEW } from "./geometry.js";
import { SvgDrawing } from "./svg-drawing.js";

const MOST_IN_SVG = 2000;
const COMFORTABLE = { fine: 28, coarse: 32 };
const LARGEST = 56;
const LOOKS = [
  ["free", "free"],
  ["chosen", "yours"],
  ["held", "held"],
  ["taken", "taken"],
];

/**
 * What a drawing calls: for a seat that is chosen, one that is pointed at (0 for none), and a point
 * of the plan to look closer at.
 * @typedef {{
 *   pick: (id: number) => void,
 *   look: (id: number) => void,
 *   closer: (x: number, y: number) => void,
 * }} Reactions
 */

export class SeatMap {
  /**
   * @param {HTMLElement} element @param {import("./room.js").SeatRoom} room
   * @param {?((id: number) => void)} pick is called with a seat that was clicked or entered; null to look only
   */
  constructor(element, room, pick) {
    this.room = room;
    this.pick = pick;
    /** Distance of neighbours on the screen; 0 before the first drawing. */
    this.pixels = 0;
    render(
      html`
        <div class="map-tools">
          <p class="pointed" aria-hidden="true">${this.hint()}</p>
          <span>
            <button type="button" aria-label="Zoom out" @click=${() => this.zoom(1 / 1.4)}>
              −
            </button>
            <button type="button" aria-label="Zoom in" @click=${() => this.zoom(1.4)}>+</button>
            <button type="button" @click=${() => this.setPixels(this.fitting())}>Whole room</button>
          </span>
        </div>
        <div class="map-box"></div>
        <ul class="legend">
          ${this.legend()}
        </ul>
      `,
      element,
    );
    this.box = /** @type {HTMLElement} */ (element.querySelector(".map-box"));
    this.line = /** @type {HTMLElement} */ (element.querySelector(".pointed"));
    const Drawing = room.seats.length > MOST_IN_SVG ? CanvasDrawing : SvgDrawing;
    this.drawing = new Drawing(this.box, room, {
      pick: (id) => this.pick?.(id),
      closer: (x, y) => this.closer(x, y),
      look: (id) => this.lookAt(id),
    });
    this.setPixels(this.initial());
    room.addEventListener("change", (event) => {
      const ids = /** @type {CustomEvent<?number[]>} */ (event).detail;
      this.drawing.paint(ids ?? room.seats.map((seat) => seat.seat_id));
    });
  }

  legend() {
    const { seats, typePrices } = this.room;
    const types = [...new Set(seats.map(({ type }) => type))].filter((type) => type in typePrices);
    const kinds = types.map((type) => [type.toLowerCase(), `${type} ${price(typePrices[type])}`]);
    const looks = LOOKS.filter(([look]) => this.pick || look !== "chosen");
    return [...looks, ...kinds].map(
      ([look, name]) => html`<li><i class="swatch ${look}"></i> ${name}</li>`,
    );
  }

  hint() {
    if (!this.pick) return "";
    return this.room.seats.length > MOST_IN_SVG
      ? "Click to look closer, then choose."
      : "Choose a seat.";
  }

  /** Looks closer at a point of the plan. @param {number} x @param {number} y */
  closer(x, y) {
    this.setPixels(COMFORTABLE.fine);
    const around = bounds(this.room.seats);
    const scale = this.pixels / 100;
    this.box.scrollTo({
      left: (x - around.x) * scale - this.box.clientWidth / 2,
      top: (y - around.y) * scale - this.box.clientHeight / 2,
    });
  }

  /** @param {number} id */
  lookAt(id) {
    if (!id) return;
    const seat = this.room.seat(id);
    const kind = seat.accessible
      ? " · wheelchair place"
      : seat.companion
        ? " · companion seat"
        : "";
    const type = seat.type === "REGULAR" ? "" : ` · ${seat.type}`;
    this.line.textContent = `${seatName(seat)}${type} · ${price(this.room.price(id))}${kind}`;
  }

  /** Returns the size at which the whole room is in sight. */
  fitting() {
    const { width, height } = bounds(this.room.seats);
    const most = Math.min(LARGEST, (100 * this.box.clientWidth) / width);
    return Math.min(most, (100 * innerHeight * 0.7) / height);
  }

  initial() {
    const fitting = this.fitting();
    if (fitting < OVERVIEW) return fitting;
    const pointer = matchMedia("(pointer: coarse)").matches ? "coarse" : "fine";
    return Math.min(LARGEST, Math.max(fitting, COMFORTABLE[pointer]));
  }

  /** @param {number} factor */
  zoom(factor) {
    this.setPixels(Math.min(LARGEST, Math.max(this.fitting(), this.pixels * factor)));
  }

  /** Sets the distance of neighbours, and keeps the middle of the box where it is.
   * @param {number} pixels
   */
  setPixels(pixels) {
    const { box } = this;
    const isFirst = this.pixels === 0;
    const grown = isFirst ? 1 : pixels / this.pixels;
    const [middleX, middleY] = [
      box.scrollLeft + box.clientWidth / 2,
      box.scrollTop + box.clientHeight / 2,
    ];
    this.pixels = pixels;
    this.drawing.resize(pixels);
    if (isFirst) box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
    else
      box.scrollTo({
        left: middleX * grown - box.clientWidth / 2,
        top: middleY * grown - box.clientHeight / 2,
      });
  }
}
