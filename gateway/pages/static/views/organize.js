// An organizer's events, and the ways to change them, watch them sell and admit people.

import { call } from "../client/api.js";
import { serverSettings, session } from "../client/session.js";
import { withVenues } from "../client/venues.js";
import { number, when } from "../shell/format.js";
import { fail, html, nothing, part, render } from "../shell/shell.js";

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */

async function main() {
  const mine = await ownEvents();
  if (!mine) {
    render(
      html`<p>Please <a href="/pages/sign-in.html">sign in</a> as an organizer.</p>`,
      part("events"),
    );
    return;
  }
  render(
    html`
      <p class="actions">
        <a class="button main" href="/pages/edit.html">New event</a>
        <a class="button" href="/pages/room.html">Draw a room</a>
      </p>
      ${mine.length === 0 ? html`<p>No events yet.</p>` : nothing}
      <ul class="programme">
        ${mine.map(row)}
      </ul>
    `,
    part("events"),
  );
}

/** Returns the events of the account, or those of nobody, which guests may change under open access.
 */
async function ownEvents() {
  if (session())
    return withVenues((await call("GET", "/events/organizer/my-events?limit=200")).data);
  if (!(await serverSettings()).open_access) return null;
  /** @type {BoxofficeEvent[]} */
  const events = await call("GET", "/events?page_size=200");
  return withVenues(events.filter((event) => !event.organizer_id));
}

/** @param {BoxofficeEvent} event */
function row(event) {
  const left = event.available_seats ?? event.total_seats;
  return html`<li class="plain">
    <div>
      <h2>
        ${event.name}
        ${event.status === "PUBLISHED" ? nothing : html`<small>${event.status.toLowerCase()}</small>`}
      </h2>
      <p class="quiet">
        ${when(event.starts_at, event.time_zone)}${event.venue ? ` · ${event.venue}` : ""}
      </p>
      <p>
        <meter
          min="0"
          max=${event.total_seats}
          value=${event.total_seats - left}
          aria-label="Taken places of ${event.name}"
        ></meter>
        ${event.total_seats - left} of ${number(event.total_seats, "place")}
      </p>
    </div>
    <div class="actions">
      <a class="button" href="/pages/sales.html?id=${event.id}">Sales</a>
      <a class="button" href="/pages/door.html?id=${event.id}">Door</a>
      <a class="button" href="/pages/edit.html?id=${event.id}">Change</a>
    </div>
  </li>`;
}

main().catch(fail);
