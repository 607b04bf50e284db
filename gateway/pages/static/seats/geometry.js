// Where seats are. A plan's unit is a hundredth of the distance between neighbours.

/** @typedef {import("../client/types.js").Seat} Seat */

export const SEAT = 84;
export const MARGIN = 160;
/** Where neighbours are less than this apart on the screen, a click looks closer. */
export const OVERVIEW = 12;
const SCREEN = 130;

/** Returns the rectangle around all seats, the screen and the names of rows.
 * @param {Seat[]} seats
 */
export function bounds(seats) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of seats) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const y = top - MARGIN - SCREEN;
  return { x: left - MARGIN, y, width: right - left + 2 * MARGIN, height: bottom - y + MARGIN };
}

/** Returns the rows of a plan with their seats from left to right. @param {Seat[]} seats */
export function rows(seats) {
  /** @type {Map<string, Seat[]>} */
  const found = new Map();
  for (const seat of seats) {
    const key = `${seat.section}\n${seat.row}`;
    const row = found.get(key);
    if (row) row.push(seat);
    else found.set(key, [seat]);
  }
  return [...found.values()];
}

/** Returns the names of sections and where they belong: above their first row, or in the middle.
 * @param {Seat[]} seats
 */
export function sections(seats) {
  /**
   * @type {Map<string, {name: string, left: number, right: number, top: number, bottom: number}>}
   */
  const found = new Map();
  for (const { section, x, y } of seats) {
    const known = found.get(section) ?? { name: section, left: x, right: x, top: y, bottom: y };
    known.left = Math.min(known.left, x);
    known.right = Math.max(known.right, x);
    known.top = Math.min(known.top, y);
    known.bottom = Math.max(known.bottom, y);
    found.set(section, known);
  }
  return [...found.values()].map(({ name, left, right, top, bottom }) => ({
    name,
    x: (left + right) / 2,
    y: top - 95,
    middle: (top + bottom) / 2,
  }));
}

/** Returns the nearest seat in a direction, or null.
 * @param {Seat[]} seats @param {Seat} from @param {number} dx @param {number} dy
 */
export function neighbour(seats, from, dx, dy) {
  let best = null;
  let least = Infinity;
  for (const seat of seats) {
    const [x, y] = [seat.x - from.x, seat.y - from.y];
    const along = x * dx + y * dy;
    const across = Math.abs(x * dy) + Math.abs(y * dx);
    const isOnTheWay = along > 0 && (dx === 0 || across < SEAT);
    const distance = along + 2 * across;
    if (isOnTheWay && distance < least) [best, least] = [seat, distance];
  }
  return best;
}

/** Returns the seat at a point, or undefined.
 * @param {Seat[]} seats
 * @param {number} x
 * @param {number} y
 */
export function seatAt(seats, x, y) {
  return seats.find((seat) => Math.abs(seat.x - x) <= SEAT / 2 && Math.abs(seat.y - y) <= SEAT / 2);
}
