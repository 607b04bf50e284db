// What a buyer has booked: tickets, holds that wait for payment, and what is over.

import { cancel, ticketOf } from "../booking/bookings.js";
import { call } from "../client/api.js";
import { canBook, session, userId } from "../client/session.js";
import { explain, number, price, when } from "../shell/format.js";
import { fail, html, nothing, part, render } from "../shell/shell.js";

/** @typedef {import("../client/types.js").Booking} Booking */

const MOST = 200;
const STATES = {
  HELD: "held for you",
  CONFIRMED: "booked",
  CANCELLED: "cancelled",
  EXPIRED: "the time was over",
};

/** @type {unknown} */
let problem = null;

async function main() {
  if (!(await canBook())) {
    render(
      html`<p>Please <a href="/pages/sign-in.html">sign in</a> to see your bookings.</p>`,
      part("bookings"),
    );
    return;
  }
  const path = `/api/bookings/user?user_id=${encodeURIComponent(userId())}&page_size=${MOST}`;
  /** @type {Booking[]} */
  const bookings = await call("GET", path);
  const live = bookings.filter(({ status }) => status === "HELD" || status === "CONFIRMED");
  const over = bookings.filter((booking) => !live.includes(booking));
  render(
    html`
      ${session() ? nothing : html`<p class="quiet">You book as the guest ${userId()}, known to this browser alone.</p>`}
      ${problem ? html`<p class="notice bad" role="alert">${explain(problem)}</p>` : nothing}
      ${bookings.length === 0 ? html`<p>Nothing yet. <a href="/">See what is on</a>.</p>` : nothing}
      <ul class="programme">
        ${live.map(row)}
      </ul>
      ${
        over.length
          ? html`<h2>Over</h2>
              <ul class="programme">
                ${over.map(row)}
              </ul>`
          : nothing
      }
    `,
    part("bookings"),
  );
}

/** @param {Booking} booking */
function row(booking) {
  const state = STATES[/** @type {keyof typeof STATES} */ (booking.status)];
  return html`<li class="plain">
    <div>
      <h3>${booking.event?.name ?? `Event ${booking.event_id}`}</h3>
      <p class="quiet">
        ${when(booking.event?.starts_at)} · ${number(booking.seat_count, "place")} ·
        ${price(booking.price)} · ${state}
      </p>
    </div>
    <div class="actions">${actions(booking)}</div>
  </li>`;
}

/** @param {Booking} booking */
function actions(booking) {
  if (booking.status === "HELD") {
    return html`<a
      class="button main"
      href="/pages/event.html?id=${booking.event_id}&booking=${booking.reference}"
      >Continue</a
    >`;
  }
  if (booking.status !== "CONFIRMED") return nothing;
  return html`
    <button class="main" @click=${() => attempt(() => openTicket(booking))}>Ticket</button>
    <button @click=${() => attempt(() => askAndCancel(booking))}>Cancel</button>
  `;
}

/** @param {Booking} booking */
async function openTicket(booking) {
  const ticket = await ticketOf(booking);
  location.assign(`/pages/ticket.html?id=${ticket.ticket_id}`);
}

/** @param {Booking} booking */
async function askAndCancel(booking) {
  if (
    !confirm(
      `Cancel ${number(booking.seat_count, "place")} for ${booking.event?.name ?? "this event"}?`,
    )
  )
    return;
  await cancel(booking);
  await main();
}

/** @param {() => Promise<void>} work */
async function attempt(work) {
  problem = null;
  try {
    await work();
  } catch (error) {
    problem = error;
    await main();
  }
}

main().catch(fail);
