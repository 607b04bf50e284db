// Seats that a refusal offers instead, each group held with one click.

import { price, seatNames, total } from "../shell/format.js";
import { html, nothing } from "../shell/shell.js";

/**
 * @typedef {import("../client/types.js").Seat & {price: ?import("../client/types.js").Money}} PricedSeat
 */

const MOST = 4;

/** Returns a button for each group of seats; `hold` gets the ids of the group that was clicked.
 * @param {any} refusal @param {boolean} isBusy @param {(seat_ids: number[]) => void} hold
 */
export function alternatives(refusal, isBusy, hold) {
  const offered = refusal.details?.alternatives;
  if (!offered) return nothing;
  /** @type {PricedSeat[][]} */
  const groups = offered.pairs.length > 0 ? offered.pairs : [offered.seats];
  const buttons = groups
    .filter((group) => group.length > 0)
    .slice(0, MOST)
    .map(
      (group) =>
        html`<button ?disabled=${isBusy} @click=${() => hold(group.map((seat) => seat.seat_id))}>
          ${seatNames(group)} · ${price(total(group.map((seat) => seat.price)))}
        </button>`,
    );
  return buttons.length > 0
    ? html`<p>Free near them:</p>
        ${buttons}`
    : nothing;
}
