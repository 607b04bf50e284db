// An event: its seats or its places, and the booking.

import { BookingPanel } from "../booking/panel.js";
import { QueueTiles } from "../booking/queue.js";
import { showWaitingList } from "../booking/waiting-list.js";
import { call } from "../client/api.js";
import { follow } from "../client/live.js";
import { userId } from "../client/session.js";
import { withVenues } from "../client/venues.js";
import { followRoom, loadRoom } from "../seats/load.js";
import { SeatMap } from "../seats/map.js";
import { SeatPicker } from "../seats/picker.js";
import { price, when } from "../shell/format.js";
import { fail, html, nothing, numberOfAddress, part, render } from "../shell/shell.js";

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */

async function main() {
  const [event] = await withVenues([await call("GET", `/events/${numberOfAddress("id")}`)]);
  document.title = `${event.name} · Boxoffice`;
  showAbout(event);
  const queue = new QueueTiles(part("queue"), event, userId);
  if (event.plan_id) await showSeats(event, queue);
  else await showPlaces(event, queue);
}

/** @param {BoxofficeEvent} event */
function showAbout(event) {
  const prices = [event.price, ...Object.values(event.seat_type_prices ?? {})].filter(
    (each) => each != null,
  );
  const cheapest = prices.sort((one, other) => one.amount_minor - other.amount_minor)[0];
  render(
    html`<header class="about">
      <h1>${event.name}</h1>
      <p class="facts">
        <span>${when(event.starts_at, event.time_zone)}</span>
        ${event.venue ? html`<span>${event.venue}</span>` : nothing}
        <span>${prices.length > 1 ? "from " : ""}${price(cheapest)}</span>
      </p>
      ${event.description ? html`<p>${event.description}</p>` : nothing}
    </header>`,
    part("about"),
  );
}

/** @param {BoxofficeEvent} event @param {QueueTiles} queue */
async function showSeats(event, queue) {
  const room = await loadRoom(event);
  const panel = new BookingPanel(part("booking"), event, room);
  const pick = (/** @type {number} */ id) => panel.pick(id);
  render(
    html`
      <details>
        <summary>Choose from a list</summary>
        <div id="picker"></div>
      </details>
      <div id="map"></div>
    `,
    part("seats"),
  );
  await panel.start();
  new SeatPicker(part("picker"), room, pick);
  new SeatMap(part("map"), room, pick);
  followRoom(room, { queue });
}

/** @param {BoxofficeEvent} event @param {QueueTiles} queue */
async function showPlaces(event, queue) {
  const panel = new BookingPanel(part("booking"), event, null);
  let revision = 0;
  await panel.start();
  follow(event.id, {
    queue,
    revision: () => revision,
    apply: (_, change) => {
      revision = change.revision ?? revision;
      if (change.left !== undefined) panel.setLeft(change.left);
    },
    poll: async () =>
      panel.setLeft((await call("GET", `/api/events/${event.id}/availability`)).left),
  });
  part("booking").classList.add("alone");
  if (event.key) showWaitingList(part("seats"), event);
}

main().catch(fail);
