// Many buyers at once, each of whom wants one seat: nobody may get a seat that another has.

import { callAsGuest } from "../client/api.js";
import { randomHex } from "../client/session.js";

/**
 * @typedef {{held: any[], refused: number, failed: number, milliseconds: number[]}} Outcome
 *   `held` are the reservations that were made
 */

/** Lets buyers reserve seats at random, all at the same time.
 * @param {number} screeningId @param {number[]} free @param {number} buyers @returns {Promise<Outcome>}
 */
export async function reserveAtOnce(screeningId, free, buyers) {
  /** @type {Outcome} */
  const outcome = { held: [], refused: 0, failed: 0, milliseconds: [] };
  const buy = async () => {
    const seat = free[Math.floor(Math.random() * free.length)];
    const body = {
      screening_id: screeningId,
      user_id: `buyer-${randomHex(4)}`,
      seat_ids: [seat],
      suggest_alternatives: false,
    };
    const start = performance.now();
    try {
      outcome.held.push(await callAsGuest("POST", "/api/seat-reservations", body));
    } catch (error) {
      if (/** @type {any} */ (error).status === 409) outcome.refused += 1;
      else outcome.failed += 1;
    }
    outcome.milliseconds.push(performance.now() - start);
  };
  await Promise.all(Array.from({ length: buyers }, buy));
  return outcome;
}

/** Returns the time within which a share of the responses came.
 * @param {number[]} milliseconds
 * @param {number} share
 */
export function percentile(milliseconds, share) {
  const sorted = [...milliseconds].sort((one, other) => one - other);
  return Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
}

/** Gives the seats of the buyers back. @param {Outcome} outcome */
export async function releaseAll(outcome) {
  await Promise.all(
    outcome.held.map(({ reservation_id }) =>
      callAsGuest("DELETE", `/api/seat-reservations/${reservation_id}`),
    ),
  );
}
