// A ticket: a stub with a QR code for each seat, or how to pay for it.

import { call, respond } from "../client/api.js";
import { withVenues } from "../client/venues.js";
import { price, seatName, when } from "../shell/format.js";
import { fail, html, nothing, part, render, save } from "../shell/shell.js";

/** @typedef {import("../client/types.js").Ticket} Ticket */
/** @typedef {import("../client/types.js").TicketSeat} TicketSeat */

const STATES = {
  AWAITING_PAYMENT: "Not paid yet",
  VALID: "Valid",
  USED: "Used",
  REVOKED: "No longer valid",
};

async function main() {
  const id = new URLSearchParams(location.search).get("id");
  /** @type {Ticket} */
  const ticket = await call("GET", `/api/tickets/${id}`);
  const [event] = await withVenues([await call("GET", `/events/${ticket.event.id}`)]);
  document.title = `Ticket: ${event.name} · Boxoffice`;
  const pictures = await Promise.all(
    ticket.seats.map((seat, index) => picture(ticket, seat, index + 1)),
  );
  render(
    html`
      <h1>Your ticket</h1>
      ${note(ticket)}
      <ul class="stubs">
        ${ticket.seats.map((seat, index) => stub(ticket, event, seat, pictures[index]))}
      </ul>
      <p class="actions">
        <button @click=${() => print()}>Print</button>
        <button
          @click=${() => download(ticket, "pdf", "ticket.pdf")}
          ?disabled=${ticket.status === "AWAITING_PAYMENT"}
        >
          PDF
        </button>
        <button @click=${() => download(ticket, "calendar.ics", "event.ics")}>
          Add to the calendar
        </button>
      </p>
    `,
    part("ticket"),
  );
}

/** @param {Ticket} ticket */
function note(ticket) {
  if (ticket.status === "VALID") return nothing;
  const link = `/pages/event.html?id=${ticket.event.id}`;
  return html`<p class="notice bad">
    ${STATES[/** @type {keyof typeof STATES} */ (ticket.status)]}.
    ${ticket.status === "AWAITING_PAYMENT" ? html`<a href=${link}>Pay for it</a>` : nothing}
  </p>`;
}

/**
 * @param {Ticket} ticket
 * @param {import("../client/types.js").BoxofficeEvent} event
 * @param {TicketSeat} seat
 * @param {string} source
 */
function stub(ticket, event, seat, source) {
  const name = seat.seat_id ? seatName(seat) : "Admission";
  return html`<li class="stub">
    <div>
      <h2>${event.name}</h2>
      <p>${when(event.starts_at, event.time_zone)}</p>
      ${event.venue ? html`<p>${event.venue}</p>` : nothing}
      <p class="seat-name">${name}</p>
      <p class="quiet">
        Booking ${ticket.booking_id} ·
        ${price(ticket.price)}${ticket.seats.length > 1 ? " in all" : ""}
      </p>
      ${seat.used_at ? html`<p class="quiet">Admitted ${when(seat.used_at, event.time_zone)}</p>` : nothing}
    </div>
    ${source ? html`<img src=${source} alt="QR code of ${name}" width="180" height="180" />` : nothing}
    ${
      seat.code
        ? html`<details>
            <summary>Code as text</summary>
            <code>${seat.code}</code>
          </details>`
        : nothing
    }
  </li>`;
}

/** Saves a document of the ticket.
 * @param {Ticket} ticket
 * @param {string} document
 * @param {string} name
 */
async function download(ticket, document, name) {
  const response = await respond("GET", `/api/tickets/${ticket.ticket_id}/${document}`, undefined, {
    Accept: "*/*",
  });
  save(await response.blob(), name);
}

/** Returns the address of a QR code. It is fetched here: an image cannot send the access token.
 * @param {Ticket} ticket @param {TicketSeat} seat @param {number} place
 */
async function picture(ticket, seat, place) {
  if (!seat.code) return "";
  const which = seat.seat_id ? `seat_id=${seat.seat_id}` : `place=${place}`;
  const path = `/api/tickets/${ticket.ticket_id}/qr?${which}`;
  const response = await respond("GET", path, undefined, { Accept: "image/svg+xml" });
  return URL.createObjectURL(await response.blob());
}

main().catch((error) => fail(error?.code === "not_found" ? { code: "ticket_not_found" } : error));
