// The form of an event: a new one, or one that is changed.

import { call } from "../client/api.js";
import { explain } from "../shell/format.js";
import { fail, html, nothing, numberOfAddress, part, render, submitted } from "../shell/shell.js";

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */

const CURRENCIES = ["EUR", "GBP", "USD", "CHF", "JPY"];
const TYPES = ["VIP", "DELUXE"];
const STATES = ["DRAFT", "PUBLISHED", "CANCELLED", "COMPLETED"];
const id = numberOfAddress("id");
/** @type {?BoxofficeEvent} */
let event = null;
/** @type {{id: number, name: string}[]} */
let rooms = [];
/** @type {unknown} */
let problem = null;

async function main() {
  event = id ? await call("GET", `/events/${id}`) : null;
  const theaters = await call("GET", "/api/theaters?page_size=200");
  rooms = theaters.flatMap((/** @type {any} */ theater) =>
    theater.rooms.map((/** @type {any} */ room) => ({
      id: room.id,
      name: `${theater.name}, ${room.name} (${room.capacity})`,
    })),
  );
  if (event) part("title").textContent = `Change ${event.name}`;
  show();
}

function show() {
  const money = event?.price;
  const isInRoom = Boolean(chosenRoom());
  render(
    html`<form class="fields" @submit=${save}>
      <label>Name <input name="name" maxlength="200" required .value=${event?.name ?? ""} /></label>
      <label
        >Description <input name="description" maxlength="5000" .value=${event?.description ?? ""}
      /></label>
      <label
        >Begins
        <input
          name="starts_at"
          type="datetime-local"
          ?required=${isInRoom}
          .value=${local(event?.starts_at)}
      /></label>
      <label
        >Ends
        <input
          name="ends_at"
          type="datetime-local"
          ?required=${isInRoom}
          .value=${local(event?.ends_at)}
      /></label>
      <label>Venue <input name="venue" maxlength="200" .value=${event?.venue ?? ""} /></label>
      <label
        >Room
        <select name="room_id" @change=${show}>
          <option value="">none: places without seats</option>
          ${rooms.map((room) => html`<option value=${room.id} ?selected=${room.id === event?.room_id}>${room.name}</option>`)}
        </select>
      </label>
      ${
        isInRoom
          ? nothing
          : html`<label
              >Places
              <input
                name="total_seats"
                type="number"
                min="0"
                max="1000000"
                required
                .value=${String(event?.total_seats ?? 100)}
            /></label>`
      }
      <label
        >Price of a place
        <input
          name="amount"
          type="number"
          min="0"
          step="any"
          placeholder="free"
          .value=${money ? String(major(money)) : ""}
      /></label>
      ${isInRoom ? TYPES.map(priceOfType) : nothing}
      <label>Currency ${select("currency", CURRENCIES, money?.currency ?? "EUR")}</label>
      <label>Status ${select("status", STATES, event?.status ?? "PUBLISHED")}</label>
      <button class="main">${event ? "Save" : "Make the event"}</button>
      ${problem ? html`<p class="notice bad" role="alert">${explain(problem)}</p>` : nothing}
    </form>`,
    part("form"),
  );
}

/** @param {string} type */
function priceOfType(type) {
  const money = event?.seat_type_prices?.[type];
  return html`<label
    >Price of a ${type} seat
    <input
      name=${type}
      type="number"
      min="0"
      step="any"
      placeholder="the same"
      .value=${money ? String(major(money)) : ""}
    />
  </label>`;
}

function chosenRoom() {
  const select = /** @type {?HTMLSelectElement} */ (document.querySelector("[name=room_id]"));
  return select ? select.value : event?.room_id;
}

/** @param {SubmitEvent} submission */
async function save(submission) {
  const form = submitted(submission);
  const body = {
    name: form.name,
    description: form.description || null,
    venue: form.venue || null,
    starts_at: utc(form.starts_at),
    ends_at: utc(form.ends_at),
    price: form.amount ? minor(Number(form.amount), form.currency) : null,
    status: form.status,
    ...(form.room_id ? inRoom(form) : { total_seats: Number(form.total_seats) }),
  };
  try {
    if (event) await call("PATCH", `/events/${id}`, body, { "If-Match": `"${event.version}"` });
    else await call("POST", "/events", body);
    location.assign("/pages/organize.html");
  } catch (refusal) {
    problem = refusal;
    show();
  }
}

/** Returns the fields of an event with seats. @param {Record<string, string>} form */
function inRoom(form) {
  const priced = TYPES.filter((type) => form[type]).map((type) => [
    type,
    minor(Number(form[type]), form.currency),
  ]);
  return { room_id: Number(form.room_id), seat_type_prices: Object.fromEntries(priced) };
}

/** @param {string} time of a field, in the zone of the browser */
function utc(time) {
  return time ? new Date(time).toISOString() : null;
}

/** Returns a time as the field wants it, in the zone of the browser. @param {?string} [moment] */
function local(moment) {
  if (!moment) return "";
  const date = new Date(moment);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {number} amount @param {string} currency */
function minor(amount, currency) {
  return { amount_minor: Math.round(amount * 10 ** digits(currency)), currency };
}

/** @param {import("../client/types.js").Money} money */
function major(money) {
  return money.amount_minor / 10 ** digits(money.currency);
}

/** @param {string} currency */
function digits(currency) {
  return (
    new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions()
      .maximumFractionDigits ?? 2
  );
}

/** @param {string} name @param {string[]} values @param {string} chosen */
function select(name, values, chosen) {
  return html`<select name=${name}>
    ${values.map((value) => html`<option ?selected=${value === chosen}>${value}</option>`)}
  </select>`;
}

main().catch(fail);
