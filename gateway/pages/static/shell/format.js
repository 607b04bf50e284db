// Words for money, times, seats and refusals: all text that more than one page shows.

/** @typedef {import("../client/types.js").Money} Money */

const LOCALE = "en-GB";

/** @param {?Money} [money] */
export function price(money) {
  if (!money || money.amount_minor === 0) return "Free";
  const format = new Intl.NumberFormat(LOCALE, { style: "currency", currency: money.currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(money.amount_minor / 10 ** digits);
}

/** Returns the sum of prices, which have one currency.
 * @param {(?Money | undefined)[]} prices
 * @returns {?Money}
 */
export function total(prices) {
  const paid = prices.filter((money) => money != null);
  if (paid.length === 0) return null;
  const amount = paid.reduce((sum, money) => sum + money.amount_minor, 0);
  return { amount_minor: amount, currency: paid[0].currency };
}

/** @param {?string} moment @param {?string} [zone] @param {Intl.DateTimeFormatOptions} [options] */
export function when(moment, zone, options) {
  if (!moment) return "Date to be announced";
  /** @type {Intl.DateTimeFormatOptions} */
  const usual = {
    weekday: "short",
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  };
  return new Intl.DateTimeFormat(LOCALE, {
    ...(options ?? usual),
    timeZone: zone ?? undefined,
  }).format(new Date(moment));
}

/** @param {number} count @param {string} one @param {string} [many] */
export function number(count, one, many = `${one}s`) {
  return `${new Intl.NumberFormat(LOCALE).format(count)} ${count === 1 ? one : many}`;
}

/** Returns "Stalls, row C, seat 12".
 * @param {{section: string, row: string, number?: ?number, label: string}} seat
 */
export function seatName(seat) {
  if (!seat.row) return seat.section || "Admission";
  const section = seat.section ? `${seat.section}, row` : "Row";
  return `${section} ${seat.row}, seat ${seat.label || seat.number}`;
}

/** Returns a group of seats in short: "Row C, seats 12, 13".
 * @param {{section: string, row: string, number?: ?number, label: string}[]} seats
 */
export function seatNames(seats) {
  /** @type {Map<string, string[]>} */
  const rows = new Map();
  for (const seat of seats) {
    const row = seatName(seat).split(", seat ")[0];
    rows.set(row, [...(rows.get(row) ?? []), seat.label || String(seat.number ?? "")]);
  }
  return [...rows]
    .map(([row, labels]) => {
      const named = labels.filter(Boolean);
      if (named.length === 0) return labels.length > 1 ? `${row} (${labels.length})` : row;
      return `${row}, ${named.length > 1 ? "seats" : "seat"} ${named.join(", ")}`;
    })
    .join("; ");
}

/** @type {Record<string, string>} */
const REFUSALS = {
  already_booked: "You have a booking for this event already.",
  already_paid: "This is paid already.",
  already_used: "Somebody was admitted with this ticket already.",
  already_waiting: "You are on the waiting list already.",
  awaiting_payment: "This ticket is not paid yet.",
  email_taken: "There is an account with this address.",
  event_not_bookable: "This event cannot be booked now.",
  event_not_found: "There is no such event.",
  expired: "The doors of this event are closed.",
  hold_expired: "The time is over, and the seats went back on sale.",
  invalid_code: "This code is wrong, or no longer valid.",
  invalid_credentials: "E-mail address or password is wrong.",
  invalid_ticket_code: "This is no ticket of ours.",
  invalid_token: "Please sign in again.",
  not_found: "This server does not have that.",
  not_yet_valid: "The doors are not open yet.",
  outcome_unknown: "The server did not answer in time. Please look under My bookings.",
  paid_too_late: "The time was over and the seats are gone. Your money is paid back.",
  payment_declined: "The payment was declined. Your seats are still held.",
  permission_denied: "You may not do that with this account.",
  queue_off: "There is no queue for this event now.",
  queue_required: "There is a queue for this event. Please join it.",
  rate_limited: "Too many attempts. Please wait a moment.",
  request_in_progress: "This is under way. Please wait a moment.",
  room_occupied: "Another event has the room at that time.",
  screening_not_found: "There is no such event with seats.",
  seats_unavailable: "These seats are gone.",
  sold_out: "Sold out.",
  ticket_not_found: "There is no such ticket.",
  ticket_revoked: "This ticket is no longer valid.",
  unauthenticated: "Please sign in first.",
  unavailable: "The server is busy. Nothing was booked; please try again.",
  version_mismatch: "Somebody else has changed this meanwhile. Please reload the page.",
  wrong_event: "This ticket is for another event.",
};

/** Returns a sentence for whoever sees the page. @param {unknown} error */
export function explain(error) {
  const { code, details } = /** @type {{code?: string, details?: any}} */ (error);
  if (code === "validation_error" && details?.length) {
    return details.map((/** @type {any} */ each) => `${each.path}: ${each.message}`).join(" ");
  }
  if (code) return REFUSALS[code] ?? code.replaceAll("_", " ");
  return "The server cannot be reached. Please try again.";
}
