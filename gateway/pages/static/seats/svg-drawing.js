// Draws up to 2,000 seats as SVG: each is an element that has a name, a state and the keyboard.

import { price, seatName } from "../shell/format.js";
import { bounds, MARGIN, neighbour, OVERVIEW, rows, SEAT, sections } from "./geometry.js";

/** @typedef {import("../client/types.js").Seat} Seat */

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STATES = {
  free: "free",
  chosen: "chosen",
  mine: "yours",
  held: "held by somebody",
  taken: "taken",
};

export class SvgDrawing {
  /**
   * @param {HTMLElement} box @param {import("./room.js").SeatRoom} room
   * @param {import("./map.js").Reactions} on
   */
  constructor(box, room, on) {
    this.room = room;
    this.on = on;
    this.bounds = bounds(room.seats);
    this.pixels = 0;
    /** @type {Map<number, SVGElement>} */
    this.elements = new Map();
    const { x, y, width, height } = this.bounds;
    this.svg = element("svg", { viewBox: `${x} ${y} ${width} ${height}` });
    this.svg.append(this.screen(), ...this.names(), this.grid());
    // Chromium lets Tab stop at an SVG that listens to the focus, so the element around it listens.
    this.around = document.createElement("div");
    this.around.append(this.svg);
    box.replaceChildren(this.around);
    this.current = room.seats[0].seat_id;
    this.elements.get(this.current)?.setAttribute("tabindex", "0");
    this.listen();
  }

  /** Sets the distance of neighbours on the screen. @param {number} pixels */
  resize(pixels) {
    this.pixels = pixels;
    this.svg.setAttribute("width", String((this.bounds.width * pixels) / 100));
    this.svg.setAttribute("height", String((this.bounds.height * pixels) / 100));
  }

  /** @param {Iterable<number>} ids */
  paint(ids) {
    for (const id of ids) {
      const shown = this.elements.get(id);
      const seat = this.room.seat(id);
      const look = /** @type {keyof typeof STATES} */ (this.room.look(id));
      const name = `${seatName(seat)}, ${price(this.room.price(id))}, ${STATES[look]}`;
      shown?.setAttribute("class", `seat ${look} ${seat.type.toLowerCase()}`);
      shown?.setAttribute("aria-label", name);
      shown?.setAttribute("aria-selected", String(look === "chosen" || look === "mine"));
    }
  }

  grid() {
    const grid = element("g", {
      role: "grid",
      "aria-label": "Seats",
      "aria-multiselectable": "true",
    });
    for (const seats of rows(this.room.seats)) {
      const row = element("g", { role: "row" });
      for (const seat of seats) row.append(...this.draw(seat));
      grid.append(row);
    }
    this.paint(this.elements.keys());
    return grid;
  }

  /** @param {Seat} seat */
  draw(seat) {
    const half = SEAT / 2;
    const at = { x: seat.x - half, y: seat.y - half, width: SEAT, height: SEAT, rx: 24 };
    const shown = element("rect", {
      ...at,
      role: "gridcell",
      tabindex: -1,
      "data-seat": seat.seat_id,
    });
    this.elements.set(seat.seat_id, shown);
    const mark = seat.accessible ? "\u267f\ufe0e" : seat.companion ? "+" : "";
    if (!mark) return [shown];
    return [shown, text("mark", seat.x, seat.y + 18, mark)];
  }

  names() {
    const lines = rows(this.room.seats).flatMap((seats) => {
      const ends = [seats[0], seats[seats.length - 1]].sort((one, other) => one.x - other.x);
      const { row, y } = seats[0];
      return [
        text("row-name", ends[0].x - 95, y + 14, row),
        text("row-name", ends[1].x + 95, y + 14, row),
      ];
    });
    return [
      ...lines,
      ...sections(this.room.seats).map(({ name, x, y }) => text("section-name", x, y, name)),
    ];
  }

  screen() {
    const { x, y, width } = this.bounds;
    const [left, right, middle] = [x + MARGIN, x + width - MARGIN, x + width / 2];
    const line = `M${left} ${y + 100}Q${middle} ${y + 20} ${right} ${y + 100}`;
    const group = element("g", { "aria-hidden": "true" });
    group.append(element("path", { class: "screen", d: line }));
    return group;
  }

  listen() {
    this.around.addEventListener("click", (event) => {
      const id = seatOf(event);
      if (id) this.picked(id);
    });
    this.around.addEventListener("pointerover", (event) => this.on.look(seatOf(event)));
    this.around.addEventListener("focusin", (event) => this.focused(seatOf(event)));
    this.around.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** @param {number} id */
  picked(id) {
    const { x, y } = this.room.seat(id);
    if (this.pixels < OVERVIEW) this.on.closer(x, y);
    else this.on.pick(id);
  }

  /** @param {number} id */
  focused(id) {
    if (!id) return;
    this.elements.get(this.current)?.setAttribute("tabindex", "-1");
    this.elements.get(id)?.setAttribute("tabindex", "0");
    this.current = id;
    this.on.look(id);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const seat = this.room.seat(this.current);
    const next = this.next(event.key, seat);
    if (next) this.elements.get(next.seat_id)?.focus();
    else if (event.key === " " || event.key === "Enter") this.on.pick(this.current);
    else return;
    event.preventDefault();
  }

  /** @param {string} key @param {Seat} seat @returns {?Seat} */
  next(key, seat) {
    if (key in STEPS) {
      const [dx, dy] = STEPS[/** @type {keyof typeof STEPS} */ (key)];
      return neighbour(this.room.seats, seat, dx, dy) ?? seat;
    }
    const row = this.room.seats.filter(
      ({ section, row }) => section === seat.section && row === seat.row,
    );
    if (key === "Home") return row[0];
    return key === "End" ? row[row.length - 1] : null;
  }
}

/** @param {Event} event */
function seatOf(event) {
  return Number(/** @type {SVGElement} */ (event.target).dataset.seat ?? 0);
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function element(name, attributes) {
  const made = /** @type {SVGElement} */ (
    document.createElementNS("http://www.w3.org/2000/svg", name)
  );
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @param {string} name @param {number} x @param {number} y @param {string} content */
function text(name, x, y, content) {
  const made = element("text", { class: name, x, y, "aria-hidden": "true" });
  made.textContent = content;
  return made;
}
