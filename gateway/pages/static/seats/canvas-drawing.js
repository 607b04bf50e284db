// Draws any number of seats on a canvas: only those in sight, so a stadium is as quick as a cinema.
// It is for pointers; the list beside the map is the way in for the keyboard and screen readers.

import { bounds, MARGIN, seatAt, SEAT, sections } from "./geometry.js";

const LOOKS = ["free", "held", "taken", "chosen", "mine"];

export class CanvasDrawing {
  /**
   * @param {HTMLElement} box @param {import("./room.js").SeatRoom} room
   * @param {{pick: (id: number) => void, look: (id: number) => void}} on
   */
  constructor(box, room, on) {
    this.box = box;
    this.room = room;
    this.bounds = bounds(room.seats);
    this.sections = sections(room.seats);
    this.pixels = 1;
    this.isDue = false;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.space = document.createElement("div");
    this.space.className = "canvas-space";
    this.space.append(this.canvas);
    box.replaceChildren(this.space);
    box.addEventListener("scroll", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.canvas.addEventListener("click", (event) => {
      const id = this.seatOf(event);
      if (id) on.pick(id);
    });
    this.canvas.addEventListener("pointermove", (event) => on.look(this.seatOf(event)));
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

  draw() {
    const { clientWidth: width, clientHeight: height, scrollLeft, scrollTop } = this.box;
    const density = devicePixelRatio;
    Object.assign(this.canvas, { width: width * density, height: height * density });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    const scale = this.pixels / 100;
    context.scale(density, density);
    context.translate(-scrollLeft, -scrollTop);
    context.scale(scale, scale);
    context.translate(-this.bounds.x, -this.bounds.y);
    const seen = { x: scrollLeft / scale + this.bounds.x, y: scrollTop / scale + this.bounds.y, width: width / scale, height: height / scale };
    this.drawNames(context);
    const paths = this.paths(seen);
    for (const [look, path] of paths) this.fill(context, look, path);
  }

  /** Returns the seats in sight, as one path for each look. @param {{x: number, y: number, width: number, height: number}} seen */
  paths(seen) {
    const paths = new Map(LOOKS.map((look) => [look, new Path2D()]));
    const half = SEAT / 2;
    const [left, top, right, bottom] = [seen.x - half, seen.y - half, seen.x + seen.width + half, seen.y + seen.height + half];
    const isRound = this.pixels > 12;
    for (const { seat_id, x, y } of this.room.seats) {
      if (x < left || x > right || y < top || y > bottom) continue;
      const path = paths.get(this.room.look(seat_id));
      if (isRound) path?.roundRect(x - half, y - half, SEAT, SEAT, 24);
      else path?.rect(x - half, y - half, SEAT, SEAT);
    }
    return paths;
  }

  /** @param {CanvasRenderingContext2D} context @param {string} look @param {Path2D} path */
  fill(context, look, path) {
    const style = getComputedStyle(this.box);
    context.fillStyle = style.getPropertyValue(`--seat-${look}`);
    context.strokeStyle = style.getPropertyValue(`--seat-${look}-line`);
    context.lineWidth = this.pixels > 12 ? 7 : 16;
    context.setLineDash(look === "held" ? [18, 12] : []);
    context.fill(path);
    context.stroke(path);
  }

  /** @param {CanvasRenderingContext2D} context */
  drawNames(context) {
    const { x, y, width } = this.bounds;
    context.fillStyle = context.strokeStyle = getComputedStyle(this.box).color;
    context.lineWidth = 12;
    context.beginPath();
    context.moveTo(x + MARGIN, y + 100);
    context.quadraticCurveTo(x + width / 2, y + 20, x + width - MARGIN, y + 100);
    context.stroke();
    context.textAlign = "center";
    context.font = `${Math.max(60, 1300 / this.pixels)}px sans-serif`;
    for (const section of this.sections) context.fillText(section.name, section.x, section.y);
  }

  /** Returns the seat under a pointer, or 0. @param {MouseEvent} event */
  seatOf(event) {
    const corner = this.canvas.getBoundingClientRect();
    const scale = 100 / this.pixels;
    const x = (event.clientX - corner.left + this.box.scrollLeft) * scale + this.bounds.x;
    const y = (event.clientY - corner.top + this.box.scrollTop) * scale + this.bounds.y;
    return seatAt(this.room.seats, x, y)?.seat_id ?? 0;
  }
}
