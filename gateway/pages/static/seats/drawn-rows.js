// Rows of a room as they are written down, and the seat plan that they make. See docs/seat-plans.md.

/** @typedef {import("../client/types.js").SeatPlan} SeatPlan */
/**
 * @typedef {{section?: string, row: string, seats: number, type?: string, aisles_after?: number[],
 *   accessible?: number[], companion?: number[]}} DrawnRow
 */

const SEAT = 100;
const ROW = 120;
const BETWEEN_SECTIONS = 200;

/** Returns the plan of some rows, the first nearest to the stage; each row is in the middle.
 * @param {DrawnRow[]} drawn @returns {SeatPlan}
 */
export function planOf(drawn) {
  const widest = Math.max(...drawn.map(width));
  const seats = drawn.flatMap((row, index) => {
    const isNew = drawn
      .slice(0, index + 1)
      .filter((each, at) => at > 0 && (each.section ?? "") !== (drawn[at - 1].section ?? ""));
    const y = index * ROW + isNew.length * BETWEEN_SECTIONS;
    return seatsOf(row, Math.round((widest - width(row)) / 2), y);
  });
  const numbered = seats.map((seat, index) => ({ ...seat, seat_id: index + 1 }));
  return { id: 0, seats: numbered, areas: [], capacity: seats.length };
}

/** Returns rows with the positions of the plan, as the API takes them. @param {DrawnRow[]} drawn */
export function placed(drawn) {
  const { seats } = planOf(drawn);
  let first = 0;
  return drawn.map((row) => {
    const { x, y } = seats[first];
    first += row.seats;
    return { ...row, x, y };
  });
}

/** @param {DrawnRow} row */
function width(row) {
  return (row.seats - 1 + (row.aisles_after ?? []).length) * SEAT;
}

/** @param {DrawnRow} row @param {number} left @param {number} y */
function seatsOf(row, left, y) {
  return Array.from({ length: row.seats }, (_, index) => {
    const number = index + 1;
    const aisles = (row.aisles_after ?? []).filter((after) => after < number).length;
    return {
      seat_id: 0,
      section: row.section ?? "",
      row: row.row,
      number,
      label: String(number),
      type: row.type ?? "REGULAR",
      accessible: (row.accessible ?? []).includes(number),
      companion: (row.companion ?? []).includes(number),
      x: left + (index + aisles) * SEAT,
      y,
    };
  });
}
