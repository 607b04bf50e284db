// Draws any number of seats on a canvas: only those in sight, so a stadium is as quick as a cinema.
// It is for pointers; the list beside the map is the way in for the keyboard and screen readers.

import { bounds, MARGIN, OVERVIEW, seatAt, SEAT, sections } from "./geometry.js";

/** @typedef {import("./geometry.js").Seat} Seat */

const KINDS = ["free", "vip", "deluxe", "held", "taken", "chosen"];
const HALF = SEAT / 2;

export class CanvasDrawing {
  /**
   * @param {HTMLElement} box @param {import("./room.js").SeatRoom} room
   * @param {import("./map.js").Reactions} on
   */
  constructor(box, room, on) {
    this.box = box;
    this.room = room;
    this.on = on;
    this.bounds = bounds(room.seats);
    this.sections = sections(room.seats);
    this.pixels = 0;
    this.isDue = false;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.space = document.createElement("div");
    this.space.className = "canvas-space";
    this.space.append(this.canvas);
    box.replaceChildren(this.space, ...this.samples());
    box.setAttribute("tabindex", "0");
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Map of the seats");
    this.listen();
  }

  /** Sets the distance of neighbours on the screen. @param {number} pixels */
  resize(pixels) {
    this.pixels = pixels;
    this.space.style.width = `${(this.bounds.width * pixels) / 100}px`;
    this.space.style.height = `${(this.bounds.height * pixels) / 100}px`;
    this.paint();
  }

  /** Draws everything in sight with the next frame. */
  paint() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.draw();
    });
  }

  /** Returns unseen elements of which the style sheet decides the colours. */
  samples() {
    return KINDS.map((kind) =>
      Object.assign(document.createElement("i"), { className: `swatch unseen ${kind}` }),
    );
  }

  listen() {
    this.box.addEventListener("scroll", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.canvas.addEventListener("pointermove", (event) => this.on.look(this.seatOf(event)));
    this.canvas.addEventListener("click", (event) => {
      const { x, y } = this.point(event);
      const id = this.seatOf(event);
      if (this.pixels < OVERVIEW) this.on.closer(x, y);
      else if (id) this.on.pick(id);
    });
  }

  draw() {
    const { clientWidth, clientHeight, scrollLeft, scrollTop } = this.box;
    const { context, canvas } = this;
    canvas.width = clientWidth * devicePixelRatio;
    canvas.height = clientHeight * devicePixelRatio;
    canvas.style.width = `${clientWidth}px`;
    canvas.style.height = `${clientHeight}px`;
    const scale = this.pixels / 100;
    const [left, top] = [scrollLeft / scale + this.bounds.x, scrollTop / scale + this.bounds.y];
    context.scale(devicePixelRatio * scale, devicePixelRatio * scale);
    context.translate(-left, -top);
    this.drawScreen();
    const seats = this.inSight(left, top, left + clientWidth / scale, top + clientHeight / scale);
    for (const sample of this.box.querySelectorAll(".swatch")) {
      const kind = KINDS.find((each) => sample.classList.contains(each));
      if (kind) this.fill(getComputedStyle(sample), kind, seats.get(kind) ?? []);
    }
    this.drawNames();
  }

  /** Returns the seats in sight by their kinds.
   * @param {number} left @param {number} top @param {number} right @param {number} bottom
   */
  inSight(left, top, right, bottom) {
    /** @type {Map<string, Seat[]>} */
    const found = new Map(KINDS.map((kind) => [kind, []]));
    for (const seat of this.room.seats) {
      const { x, y } = seat;
      if (x < left - HALF || x > right + HALF || y < top - HALF || y > bottom + HALF) continue;
      found.get(this.kind(seat))?.push(seat);
    }
    return found;
  }

  /** @param {Seat} seat */
  kind({ seat_id, type }) {
    const look = this.room.look(seat_id);
    if (look === "mine") return "chosen";
    return look === "free" && type !== "REGULAR" ? type.toLowerCase() : look;
  }

  /** @param {CSSStyleDeclaration} style @param {string} kind @param {Seat[]} seats */
  fill(style, kind, seats) {
    const { context } = this;
    const isOutline = ["free", "vip", "deluxe"].includes(kind);
    context.save();
    if (this.pixels < OVERVIEW) {
      // An outline would be all that is left of a small seat. A path of all seats takes far longer.
      context.globalAlpha = isOutline ? 0.55 : 1;
      context.fillStyle = isOutline ? style.borderTopColor : style.backgroundColor;
      for (const { x, y } of seats) context.fillRect(x - HALF, y - HALF, SEAT, SEAT);
    } else {
      context.fillStyle = style.backgroundColor;
      context.strokeStyle = style.borderTopColor;
      context.lineWidth = kind === "free" ? 7 : 9;
      context.setLineDash(kind === "held" ? [18, 12] : []);
      const path = new Path2D();
      for (const { x, y } of seats) path.roundRect(x - HALF, y - HALF, SEAT, SEAT, 24);
      context.fill(path);
      context.stroke(path);
    }
    context.restore();
  }

  drawScreen() {
    const { x, y, width } = this.bounds;
    const { context } = this;
    context.strokeStyle = getComputedStyle(this.box).color;
    context.lineWidth = 14;
    context.beginPath();
    context.moveTo(x + MARGIN, y + 100);
    context.quadraticCurveTo(x + width / 2, y + 20, x + width - MARGIN, y + 100);
    context.stroke();
  }

  drawNames() {
    const { context } = this;
    const style = getComputedStyle(this.box);
    const isSmall = this.pixels < OVERVIEW;
    context.textAlign = "center";
    context.font = `600 ${isSmall ? 1600 / this.pixels : 60}px sans-serif`;
    context.fillStyle = style.color;
    context.strokeStyle = style.backgroundColor;
    context.lineWidth = 500 / this.pixels;
    context.lineJoin = "round";
    for (const { name, x, y, middle } of this.sections) {
      if (isSmall) context.strokeText(name, x, middle);
      context.fillText(name, x, isSmall ? middle : y);
    }
  }

  /** Returns where a pointer is in the plan. @param {MouseEvent} event */
  point(event) {
    const corner = this.canvas.getBoundingClientRect();
    const scale = 100 / this.pixels;
    return {
      x: (event.clientX - corner.left + this.box.scrollLeft) * scale + this.bounds.x,
      y: (event.clientY - corner.top + this.box.scrollTop) * scale + this.bounds.y,
    };
  }

  /** Returns the seat under a pointer, or 0. @param {MouseEvent} event */
  seatOf(event) {
    const { x, y } = this.point(event);
    return seatAt(this.room.seats, x, y)?.seat_id ?? 0;
  }
}
