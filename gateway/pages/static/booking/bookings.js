// What a buyer does with a booking: hold, pay, get the ticket, release. Every rule is the server's.

import { call, Refused } from "../client/api.js";
import { session, userId } from "../client/session.js";
import { queueCredentials } from "./queue.js";

const LOOK_AGAIN_MS = 1000;

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */
/** @typedef {import("../client/types.js").Booking} Booking */

/** Holds seats for ten minutes: those that are named, or the best ones.
 * @param {BoxofficeEvent} event
 * @param {{seat_ids?: number[], best?: object, require_all?: boolean, suggest_alternatives?: boolean}} wish
 * @returns {Promise<Booking>}
 */
export async function holdSeats(event, wish) {
  const body = { screening_id: event.id, user_id: userId(), ...wish };
  const held = await call("POST", "/api/seat-reservations", body, queueCredentials(event.id));
  return kept(event, held.reservation_id);
}

/** Books places of an event without seats; guests book one at a time.
 * @param {BoxofficeEvent} event @param {number} count @returns {Promise<Booking>}
 */
export async function bookPlaces(event, count) {
  if (session()) {
    const wish = { event_id: event.id, seat_count: count };
    const booked = await call("POST", "/bookings", wish, queueCredentials(event.id));
    return kept(event, booked.reference);
  }
  const body = { event_id: event.id, user_id: userId() };
  const { booking_id } = await call(
    "POST",
    "/api/bookings/reserve",
    body,
    queueCredentials(event.id),
  );
  const { reference } = await call("GET", `/api/bookings/booking/${booking_id}`);
  return kept(event, reference);
}

/** Returns the hold that the page's address names, or the one that this browser has, or null.
 * @param {BoxofficeEvent} event @returns {Promise<?Booking>}
 */
export async function currentBooking(event) {
  const reference =
    new URLSearchParams(location.search).get("booking") ?? localStorage.getItem(place(event));
  if (!reference) return null;
  try {
    const booking = await call("GET", `/bookings/${reference}`);
    if (booking.status === "HELD") return booking;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  forget(event);
  return null;
}

/** Gives the places of a hold back. @param {BoxofficeEvent} event @param {Booking} booking */
export async function release(event, booking) {
  const path = booking.seat_ids.length > 0 ? "/api/seat-reservations" : "/bookings";
  await call("DELETE", `${path}/${booking.reference}`);
  forget(event);
}

/** Pays a hold, with a token of the provider in place of a card, or on the provider's page; waits
 * until the provider has decided.
 * @param {Booking} booking @param {string} token empty if the provider asks for the card itself
 * @throws {Refused} if the payment is declined
 */
export async function pay(booking, token) {
  const body = { reservation_id: booking.reference, method: "card", ...(token && { token }) };
  let payment = await call("POST", "/api/payments", body);
  if (payment.redirect_url) location.assign(payment.redirect_url);
  while (payment.status === "CREATED") {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    payment = await call("GET", `/api/payments/${payment.payment_id}`);
  }
  if (payment.status === "FAILED") throw new Refused(402, { error: "payment_declined" });
  if (payment.status !== "SUCCEEDED") throw new Refused(409, { error: "paid_too_late" });
}

/** Returns the ticket of a booking; a free one is confirmed with it.
 * @param {Booking} booking @returns {Promise<import("../client/types.js").Ticket>}
 */
export function ticketOf(booking) {
  return call("POST", "/api/tickets", { reservation_id: booking.reference });
}

/** Cancels a booking. @param {Booking} booking */
export function cancel(booking) {
  return call("DELETE", `/bookings/${booking.reference}`);
}

/** @param {BoxofficeEvent} event */
export function forget(event) {
  localStorage.removeItem(place(event));
}

/** @param {BoxofficeEvent} event @param {string} reference @returns {Promise<Booking>} */
function kept(event, reference) {
  localStorage.setItem(place(event), reference);
  return call("GET", `/bookings/${reference}`);
}

/** @param {BoxofficeEvent} event */
function place(event) {
  return `boxoffice.hold.${userId()}.${event.id}`;
}
