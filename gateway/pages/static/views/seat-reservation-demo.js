// The demo: one screening, any user, every switch of a reservation, a crowd, and a log of what happens.

import { alternatives } from "../booking/alternatives.js";
import { percentile, releaseAll, reserveAtOnce } from "../booking/load-test.js";
import { queueCredentials, QueueTiles } from "../booking/queue.js";
import { call, callAsGuest } from "../client/api.js";
import { guestId } from "../client/session.js";
import { withVenues } from "../client/venues.js";
import { followRoom, loadRoom } from "../seats/load.js";
import { SeatMap } from "../seats/map.js";
import { explain, number, price, seatNames, total, when } from "../shell/format.js";
import { fail, html, nothing, numberOfAddress, part, render } from "../shell/shell.js";

const BUYERS = 100;
const LOG_LINES = 200;

/** @type {import("../seats/room.js").SeatRoom} */
let room;
/** What the user holds, the last refusal, the last crowd.
 * @type {{reservation: any, refusal: any, crowd: any, busy: boolean}}
 */
const state = { reservation: null, refusal: null, crowd: null, busy: false };

async function main() {
  const screenings = await screeningsToChoose();
  const id = numberOfAddress("screening") || screenings[0]?.id;
  render(
    screenings.map(
      (each) =>
        html`<option value=${each.id} ?selected=${each.id === id}>
          ${each.id}: ${each.name}, ${when(each.starts_at, each.time_zone)}
        </option>`,
    ),
    part("screening"),
  );
  field("user").value = guestId();
  part("screening").addEventListener("change", () =>
    location.assign(`?screening=${field("screening").value}`),
  );
  room = await loadRoom(await call("GET", `/events/${id}`));
  new SeatMap(part("map"), room, pick);
  room.addEventListener("change", show);
  const queue = new QueueTiles(part("queue"), room.event, () => field("user").value, {
    log,
    off: "This event has no queue at the moment.",
  });
  const told = (/** @type {string} */ state) => (part("connection").textContent = state);
  followRoom(room, { told, heard, queue });
  show();
}

/** Returns the events with seats, those with a movie first. */
async function screeningsToChoose() {
  const events = await withVenues(await call("GET", "/events?status=PUBLISHED&page_size=200"));
  return events.filter((event) => event.plan_id).sort((one, other) => rank(one) - rank(other));
}

/** @param {import("../client/types.js").BoxofficeEvent} event */
function rank({ id, movie_id }) {
  return movie_id ? id : Number.MAX_SAFE_INTEGER;
}

/** @param {number} id */
function pick(id) {
  room.toggle(id);
}

/** @param {string} kind @param {any} change */
function heard(kind, change) {
  const seats = change.seat_ids?.length ? ` seats ${change.seat_ids.join(", ")}` : "";
  log(`${kind}${seats}${change.status ? ` ${change.status}` : ""}, revision ${change.revision}`);
}

function show() {
  const chosen = [...room.chosen];
  const prices = chosen.map((id) => room.price(id));
  render(
    html`
      <h2>Reservation</h2>
      <p>
        ${chosen.length ? `${seatNames(chosen.map((id) => room.seat(id)))}, ${price(total(prices))}` : "Choose seats in the map."}
      </p>
      <button
        class="main"
        ?disabled=${chosen.length === 0 || state.busy}
        @click=${() => attempt(() => reserve(chosen))}
      >
        Reserve
      </button>
      ${state.reservation ? reservation(state.reservation) : nothing}
      ${state.refusal ? refusal(state.refusal) : nothing}
      <button ?disabled=${state.busy} @click=${() => attempt(releaseMine)}>
        Release all of this user
      </button>
    `,
    part("actions"),
  );
  render(crowd(), part("load"));
}

/** @param {any} reservation */
function reservation({ seat_ids, unavailable_seat_ids, price: money, expires_at }) {
  return html`<div class="notice">
    <p>
      ${seatNames(seat_ids.map((/** @type {number} */ id) => room.seat(id)))} for ${price(money)},
      for another
      <count-down until=${expires_at} @over=${() => forget("The hold has ended.")}></count-down>
    </p>
    ${unavailable_seat_ids.length ? html`<p>Not to be had: ${unavailable_seat_ids.join(", ")}</p>` : nothing}
  </div>`;
}

/** @param {any} error */
function refusal(error) {
  return html`<div class="notice bad" role="alert">
    <p>${explain(error)} <code>${error.code}</code></p>
    ${alternatives(error, state.busy, (seat_ids) => attempt(() => reserve(seat_ids)))}
  </div>`;
}

/** @param {number[]} seat_ids */
async function reserve(seat_ids) {
  const body = {
    screening_id: room.event.id,
    user_id: field("user").value,
    seat_ids,
    require_all: field("require-all").checked,
    suggest_alternatives: field("suggest").checked,
  };
  state.reservation = await callAsGuest(
    "POST",
    "/api/seat-reservations",
    body,
    queueCredentials(room.event.id),
  );
  room.setMine([...room.mine, ...state.reservation.seat_ids]);
  log(`reserved ${state.reservation.seat_ids.join(", ")}`);
}

async function releaseMine() {
  const user = encodeURIComponent(field("user").value);
  const path = `/api/seat-reservations/user/${user}/screening/${room.event.id}`;
  const { released } = await callAsGuest("DELETE", path);
  forget(`released ${number(released, "seat")}`);
}

/** @param {string} why */
function forget(why) {
  state.reservation = null;
  room.setMine([]);
  log(why);
}

function crowd() {
  const free = room.seats
    .filter(({ seat_id }) => room.isFree(seat_id))
    .map(({ seat_id }) => seat_id);
  return html`
    <p class="quiet">Each wants one free seat at random; each seat goes to one buyer at most.</p>
    <button ?disabled=${state.busy || free.length === 0} @click=${() => attempt(() => rush(free))}>
      Let them in
    </button>
    ${state.crowd?.held.length ? html`<button ?disabled=${state.busy} @click=${() => attempt(leave)}>Release their seats</button>` : nothing}
    ${state.crowd ? figures(state.crowd) : nothing}
  `;
}

/** @param {number[]} free */
async function rush(free) {
  state.crowd = await reserveAtOnce(room.event.id, free, BUYERS);
  log(
    `${BUYERS} buyers: ${state.crowd.held.length} got a seat, ${state.crowd.refused} were refused`,
  );
}

async function leave() {
  await releaseAll(state.crowd);
  state.crowd.held = [];
}

/** @param {import("../booking/load-test.js").Outcome} outcome */
function figures({ held, refused, failed, milliseconds }) {
  const seats = new Set(held.flatMap(({ seat_ids }) => seat_ids));
  const tiles = [
    ["got a seat", held.length],
    ["different seats", seats.size],
    ["refused", refused],
    ["failed", failed],
    ["p50, ms", percentile(milliseconds, 0.5)],
    ["p99, ms", percentile(milliseconds, 0.99)],
  ];
  return html`<dl class="tiles">
    ${tiles.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** @param {() => Promise<void>} work */
async function attempt(work) {
  Object.assign(state, { busy: true, refusal: null });
  show();
  try {
    await work();
  } catch (error) {
    state.refusal = error;
    log(`refused: ${/** @type {any} */ (error).code || "no answer"}`);
  }
  state.busy = false;
  show();
}

/** @param {string} text */
function log(text) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString("en-GB")} ${text}`;
  part("log").prepend(line);
  while (part("log").children.length > LOG_LINES) part("log").lastElementChild?.remove();
}

/** @param {string} id */
function field(id) {
  return /** @type {HTMLInputElement} */ (part(id));
}

main().catch(fail);
