// The waiting list of an event that is sold out: join, see the position, take or decline an offer.

import { call } from "../client/api.js";
import { canBook, userId } from "../client/session.js";
import { explain, number } from "../shell/format.js";
import { announce, html, nothing, render } from "../shell/shell.js";

const LOOK_AGAIN_MS = 3000;

/** Shows the list while nothing is left or somebody waits.
 * @param {HTMLElement} element @param {import("../client/types.js").BoxofficeEvent} event
 */
export async function showWaitingList(element, event) {
  if (!(await canBook())) return;
  const path = `/status/${event.key}?userId=${encodeURIComponent(userId())}`;
  /** @type {unknown} */
  let problem = null;
  let before = "";

  const look = async () => {
    const status = await call("GET", path);
    if (status.you.status !== before && before) announce(sentence(status.you));
    before = status.you.status;
    render(list(status), element);
  };

  /** @param {string} action */
  const act = async (action) => {
    problem = null;
    try {
      const result = await call("POST", action, { eventId: event.key, userId: userId() });
      if (result.status === "held") await pay(event, result.booking_id);
    } catch (refusal) {
      problem = refusal;
    }
    await look();
  };

  const list = (/** @type {any} */ { available_tickets, waiting_list, you }) => {
    if (available_tickets > 0 && waiting_list === 0) return nothing;
    return html`<div class="card">
      <h2>Waiting list</h2>
      <p>${sentence(you)}</p>
      <p class="quiet">
        ${number(waiting_list, "person waits", "people wait")}. A place that comes free goes to the
        first.
      </p>
      ${buttons(you.status)}
      ${problem ? html`<p class="notice bad">${explain(problem)}</p>` : nothing}
    </div>`;
  };

  /** @param {string} status */
  const buttons = (status) => {
    if (status === "offered")
      return html`<button class="main" @click=${() => act("/book")}>Take the place</button>
        <button @click=${() => act("/cancel")}>Decline</button>`;
    if (status === "waiting")
      return html`<button @click=${() => act("/cancel")}>Leave the list</button>`;
    if (status === "none")
      return html`<button class="main" @click=${() => act("/book")}>Join the waiting list</button>`;
    return html`<a href="/pages/bookings.html">My bookings</a>`;
  };

  await look();
  setInterval(() => document.hidden || look().catch(console.warn), LOOK_AGAIN_MS);
}

/** Leads to the panel that pays a held booking.
 * @param {import("../client/types.js").BoxofficeEvent} event @param {number} bookingId
 */
async function pay(event, bookingId) {
  const { reference } = await call("GET", `/api/bookings/booking/${bookingId}`);
  location.assign(`/pages/event.html?id=${event.id}&booking=${reference}`);
}

/** @param {{status: string, position: ?number, offer_expires_at: ?string}} you */
function sentence(you) {
  if (you.status === "waiting") return `You are number ${you.position} in line.`;
  if (you.status === "offered") return "A place is free for you.";
  if (you.status === "held") return "A place is held for you until you pay.";
  if (you.status === "none") return "Everything is taken at the moment.";
  return "You have a booking.";
}
