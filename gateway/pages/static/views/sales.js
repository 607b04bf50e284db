// Watches an event sell: counters, the map, and the latest bookings.

import { showQueueSwitch } from "../booking/queue-switch.js";
import { call } from "../client/api.js";
import { follow } from "../client/live.js";
import { withVenues } from "../client/venues.js";
import { followRoom, loadRoom } from "../seats/load.js";
import { SeatMap } from "../seats/map.js";
import { explain, number, price, when } from "../shell/format.js";
import { fail, html, nothing, numberOfAddress, part, render } from "../shell/shell.js";

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */
/** @typedef {import("../client/types.js").Booking} Booking */

const LATEST = 20;
const AT_MOST_EVERY_MS = 1000;

/** Whether the list of bookings is behind, and whether it is being read. */
const list = { isBehind: false, isReading: false };

async function main() {
  /** @type {BoxofficeEvent[]} */
  const [event] = await withVenues([await call("GET", `/events/${numberOfAddress("id")}`)]);
  render(
    html`<h1>${event.name}</h1>
      <p class="quiet">
        ${when(event.starts_at, event.time_zone)}${event.venue ? ` · ${event.venue}` : ""} ·
        <span id="connection">connecting</span>
      </p>`,
    part("about"),
  );
  if (event.plan_id) await watchSeats(event);
  else await watchPlaces(event);
  await readBookings(event);
  await showQueueSwitch(part("queue"), event);
}

/** @param {BoxofficeEvent} event */
async function watchSeats(event) {
  const room = await loadRoom(event);
  new SeatMap(part("map"), room, null);
  const show = () => {
    const held = room.status.reduce((count, status) => count + (status === 1 ? 1 : 0), 0);
    showCounters(event, room.left, held);
  };
  room.addEventListener("change", () => {
    show();
    readBookings(event);
  });
  show();
  followRoom(room, { told });
}

/** @param {BoxofficeEvent} event */
async function watchPlaces(event) {
  let revision = 0;
  let left = -1;
  const set = (/** @type {number} */ now) => {
    if (now === left) return;
    left = now;
    showCounters(event, left);
    readBookings(event);
  };
  const poll = async () => set((await call("GET", `/api/events/${event.id}/availability`)).left);
  await poll();
  follow(event.id, {
    revision: () => revision,
    told,
    poll,
    apply: (_, change) => {
      revision = change.revision ?? revision;
      if (change.left !== undefined) set(change.left);
    },
  });
}

/** @param {string} state */
function told(state) {
  part("connection").textContent = state;
}

/** @param {BoxofficeEvent} event @param {number} left @param {number} [held] */
function showCounters(event, left, held = 0) {
  const gone = event.total_seats - left;
  /** @type {[string, number][]} */
  const ofHolds = event.plan_id ? [["held", held]] : [];
  /** @type {[string, number][]} */
  const tiles = [["taken", gone - held], ...ofHolds, ["left", left], ["of", event.total_seats]];
  render(
    html`<dl class="tiles">
        ${tiles.map(
          ([name, value]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>
      <meter
        class="wide"
        min="0"
        max=${event.total_seats}
        value=${gone}
        aria-label="Taken places"
      ></meter>`,
    part("counters"),
  );
}

/** Reads the latest bookings, once a second at most however fast the event sells.
 * @param {BoxofficeEvent} event
 */
async function readBookings(event) {
  list.isBehind = true;
  if (list.isReading) return;
  list.isReading = true;
  while (list.isBehind) {
    list.isBehind = false;
    await showBookings(event);
    await new Promise((resolve) => setTimeout(resolve, AT_MOST_EVERY_MS));
  }
  list.isReading = false;
}

/** @param {BoxofficeEvent} event */
async function showBookings(event) {
  try {
    /** @type {Booking[]} */
    const bookings = await call("GET", `/api/bookings/event/${event.id}?page_size=${LATEST}`);
    render(
      html`<h2>Latest bookings</h2>
        <table>
          <thead>
            <tr>
              <th>Booking</th>
              <th>Who</th>
              <th>Places</th>
              <th>Price</th>
              <th>Status</th>
              <th>When</th>
            </tr>
          </thead>
          <tbody>
            ${bookings.map(
              (each) =>
                html`<tr>
                  <td>${each.id}</td>
                  <td>${each.user_id}</td>
                  <td>${each.seat_count}</td>
                  <td>${price(each.price)}</td>
                  <td>${each.status.toLowerCase()}</td>
                  <td>
                    ${when(each.created_at, null, { dateStyle: "short", timeStyle: "medium" })}
                  </td>
                </tr>`,
            )}
          </tbody>
        </table>
        ${bookings.length === 0 ? html`<p class="quiet">${number(0, "booking")}</p>` : nothing}`,
      part("latest"),
    );
  } catch (error) {
    render(html`<p class="notice bad">${explain(error)}</p>`, part("latest"));
  }
}

main().catch(fail);
