// The panel beside the seats: what is chosen, the hold with its countdown, payment, refusals.

import { explain, number, price, seatNames, total } from "../shell/format.js";
import { announce, html, nothing, render } from "../shell/shell.js";
import { canBook, serverSettings, session } from "../client/session.js";
import { alternatives } from "./alternatives.js";
import { bestSeats } from "./best-seats.js";
import {
  bookPlaces,
  currentBooking,
  forget,
  holdSeats,
  pay,
  release,
  ticketOf,
} from "./bookings.js";
import { paymentForm } from "./payment-form.js";

/** @typedef {import("../client/types.js").Booking} Booking */

const MOST_SEATS = 10;
const MOST_PLACES = 20;

export class BookingPanel {
  /**
   * @param {HTMLElement} element
   * @param {import("../client/types.js").BoxofficeEvent} event
   * @param {?import("../seats/room.js").SeatRoom} room null if seats are not assigned
   */
  constructor(element, event, room) {
    this.element = element;
    this.event = event;
    this.room = room;
    /** @type {?Booking} */
    this.booking = null;
    /** @type {unknown} */
    this.refusal = null;
    this.isBusy = false;
    this.isOpen = true;
    this.hasTestCards = false;
    this.left = event.available_seats ?? 0;
    this.places = 1;
    room?.addEventListener("change", () => this.show());
  }

  /** Finds out what this browser holds, and shows it. */
  async start() {
    this.isOpen = await canBook();
    this.hasTestCards = (await serverSettings()).has_test_cards;
    this.set(await currentBooking(this.event));
  }

  /** Chooses or gives up a seat. @param {number} id */
  pick(id) {
    const room = this.room;
    if (!room || this.booking) return;
    if (room.chosen.size >= MOST_SEATS && !room.chosen.has(id)) {
      announce(`At most ${MOST_SEATS} seats in one booking.`);
      return;
    }
    room.toggle(id);
    const chosen = [...room.chosen].map((each) => room.seat(each));
    announce(
      chosen.length
        ? `${number(chosen.length, "seat")} chosen: ${seatNames(chosen)}`
        : "No seat chosen",
    );
  }

  /** @param {number} left */
  setLeft(left) {
    this.left = left;
    this.show();
  }

  /** @param {?Booking} booking */
  set(booking) {
    this.booking = booking;
    this.room?.setMine(booking?.seat_ids ?? []);
    this.show();
  }

  /** Does something that the server may refuse, and shows how it went.
   * @param {() => Promise<void>} work
   */
  async attempt(work) {
    this.isBusy = true;
    this.refusal = null;
    this.show();
    try {
      await work();
    } catch (refusal) {
      this.refusal = refusal;
      announce(explain(refusal));
    }
    this.isBusy = false;
    this.show();
  }

  /** @param {object} wish */
  hold(wish) {
    return this.attempt(async () => {
      this.set(await holdSeats(this.event, wish));
      announce("The seats are held for you.");
      this.element.scrollIntoView({ block: "nearest" });
    });
  }

  book() {
    return this.attempt(async () => {
      const booking = await bookPlaces(this.event, this.places);
      if (booking.status === "HELD") this.set(booking);
      else await this.finish(booking);
    });
  }

  /** @param {Booking} booking @param {string} token */
  pay(booking, token) {
    return this.attempt(async () => {
      try {
        await pay(booking, token);
      } catch (refusal) {
        this.set(await currentBooking(this.event)); // its end may have moved
        throw refusal;
      }
      await this.finish(booking);
    });
  }

  /** Leads to the ticket. @param {Booking} booking */
  async finish(booking) {
    const ticket = await ticketOf(booking);
    forget(this.event);
    location.assign(`/pages/ticket.html?id=${ticket.ticket_id}`);
  }

  /** @param {Booking} booking */
  release(booking) {
    return this.attempt(async () => {
      await release(this.event, booking);
      this.set(null);
      announce("The seats are free again.");
    });
  }

  over() {
    forget(this.event);
    this.set(null);
    this.refusal = { code: "hold_expired" };
    this.show();
  }

  show() {
    const choice = this.room ? this.chosenSeats(this.room) : this.numberOfPlaces();
    render(
      html`
        <h2>${this.booking ? "Held for you" : "Your booking"}</h2>
        ${this.booking ? this.heldBooking(this.booking) : choice} ${this.problem()}
      `,
      this.element,
    );
  }

  /** @param {import("../seats/room.js").SeatRoom} room */
  chosenSeats(room) {
    const ids = [...room.chosen].sort((one, other) => one - other);
    const prices = ids.map((id) => room.price(id));
    return html`
      ${
        ids.length === 0
          ? html`<p class="quiet">Choose seats in the map or from the list.</p>`
          : html`<ul class="seats">
                ${ids.map(
                  (id, index) =>
                    html`<li>
                      <span>${seatNames([room.seat(id)])}</span>
                      <span>${price(prices[index])}</span>
                    </li>`,
                )}
              </ul>
              <p class="sum">
                <span>${number(ids.length, "seat")}</span> <b>${price(total(prices))}</b>
              </p>`
      }
      ${this.mayBook(
        html`<button
          class="main"
          ?disabled=${ids.length === 0 || this.isBusy}
          @click=${() => this.hold({ seat_ids: ids })}
        >
          Hold ${ids.length ? number(ids.length, "seat") : "seats"} for ten minutes
        </button>`,
      )}
      ${
        this.isOpen
          ? html`<h3>Or take the best that are left</h3>
              ${bestSeats(room, (wish) => this.hold(wish))}`
          : nothing
      }
    `;
  }

  numberOfPlaces() {
    const most = Math.max(1, Math.min(MOST_PLACES, this.left));
    const prices = Array(this.places).fill(this.event.price);
    const button = html`<button
      class="main"
      ?disabled=${this.isBusy || this.left === 0}
      @click=${() => this.book()}
    >
      ${this.left === 0 ? "Sold out" : `Book ${number(this.places, "place")}`}
    </button>`;
    return html`
      <p aria-live="off"><b>${number(this.left, "place")}</b> left</p>
      ${
        session()
          ? html`<label
              >Number of places
              <input
                type="number"
                min="1"
                max=${most}
                .value=${String(this.places)}
                @change=${(/** @type {any} */ event) => {
                  this.places = Math.min(most, Math.max(1, Number(event.target.value)));
                  this.show();
                }}
              />
            </label>`
          : html`<p class="quiet">
              Guests book one place. <a href="/pages/sign-in.html">Sign in</a> to book several.
            </p>`
      }
      <p class="sum"><span>${number(this.places, "place")}</span> <b>${price(total(prices))}</b></p>
      ${this.mayBook(button)}
    `;
  }

  /** @param {unknown} button */
  mayBook(button) {
    if (this.isOpen) return button;
    return html`<p><a class="button main" href="/pages/sign-in.html">Sign in to book</a></p>`;
  }

  /** @param {Booking} booking */
  heldBooking(booking) {
    const room = this.room;
    const seats = room
      ? seatNames(booking.seat_ids.map((id) => room.seat(id)))
      : number(booking.seat_count, "place");
    const isPaid = (booking.price?.amount_minor ?? 0) > 0;
    return html`
      <p class="held-seats">${seats}</p>
      <p class="sum">
        <span
          >Held for another
          <count-down until=${booking.expires_at} @over=${() => this.over()}></count-down
        ></span>
        <b>${price(booking.price)}</b>
      </p>
      ${
        isPaid
          ? paymentForm(booking.price, this.hasTestCards, this.isBusy, (token) =>
              this.pay(booking, token),
            )
          : html`<button
              class="main"
              ?disabled=${this.isBusy}
              @click=${() => this.attempt(() => this.finish(booking))}
            >
              Get the ticket
            </button>`
      }
      <button ?disabled=${this.isBusy} @click=${() => this.release(booking)}>Release</button>
    `;
  }

  problem() {
    if (!this.refusal) return nothing;
    return html`<div class="notice bad">
      <p>${explain(this.refusal)}</p>
      ${alternatives(this.refusal, this.isBusy, (seat_ids) => this.hold({ seat_ids }))}
    </div>`;
  }
}
