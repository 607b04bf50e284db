// The programme: events and screenings that can be booked.

import { call } from "../client/api.js";
import { withVenues } from "../client/venues.js";
import { number, price, when } from "../shell/format.js";
import { fail, html, nothing, part, render } from "../shell/shell.js";

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */

const MOST = 200;
let search = "";

async function main() {
  const path = `/events?status=PUBLISHED&page_size=${MOST}`;
  const [events, movies] = await Promise.all([call("GET", path), call("GET", "/api/movies")]);
  const shown = await withVenues(coming(events));
  /** @type {HTMLInputElement} */ (part("search")).addEventListener("input", (event) => {
    search = /** @type {HTMLInputElement} */ (event.target).value.toLowerCase();
    show(shown, movies);
  });
  show(shown, movies);
}

/** Returns the events that have not begun, the earliest first. @param {BoxofficeEvent[]} events */
function coming(events) {
  const now = new Date().toISOString();
  return events
    .filter(({ starts_at }) => !starts_at || starts_at > now)
    .sort((one, other) => (one.starts_at ?? "9").localeCompare(other.starts_at ?? "9"));
}

/** @param {BoxofficeEvent[]} events @param {any[]} movies */
function show(events, movies) {
  const found = events.filter(({ name, venue }) =>
    `${name} ${venue ?? ""}`.toLowerCase().includes(search),
  );
  const screenings = movies
    .map((movie) => ({ movie, shows: found.filter((event) => event.movie_id === movie.id) }))
    .filter(({ shows }) => shows.length > 0);
  const others = found.filter((event) => !event.movie_id);
  render(
    html`
      ${found.length === 0 ? html`<p class="quiet">Nothing is on that matches.</p>` : nothing}
      <ul class="programme">
        ${others.map(row)}
      </ul>
      ${screenings.length ? html`<h2>At the cinema</h2>` : nothing}
      <ul class="programme">
        ${screenings.map(film)}
      </ul>
    `,
    part("programme"),
  );
}

/** @param {BoxofficeEvent} event */
function row(event) {
  return html`<li>
    ${date(event)}
    <div>
      <h2><a href="/pages/event.html?id=${event.id}">${event.name}</a></h2>
      <p>${event.description}</p>
      <p class="quiet">${[time(event), event.venue].filter(Boolean).join(" · ")}</p>
    </div>
    <p class="offer">${price(event.price)} ${left(event)}</p>
  </li>`;
}

/** @param {{movie: any, shows: BoxofficeEvent[]}} film */
function film({ movie, shows }) {
  return html`<li>
    <p class="minutes">${movie.duration_minutes}<span> min</span></p>
    <div>
      <h3>${movie.title}</h3>
      <p>${movie.description}</p>
      <ul class="shows">
        ${shows.map(
          (event) =>
            html`<li>
              <a href="/pages/event.html?id=${event.id}">
                ${when(event.starts_at, event.time_zone, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })}
              </a>
            </li>`,
        )}
      </ul>
    </div>
    <p class="offer">from ${price(shows[0].price)}</p>
  </li>`;
}

/** @param {BoxofficeEvent} event */
function date(event) {
  if (!event.starts_at) return html`<p class="date">–</p>`;
  const [day, month] = [{ day: "numeric" }, { month: "short" }].map((part) =>
    when(event.starts_at, event.time_zone, /** @type {any} */ (part)),
  );
  return html`<p class="date"><b>${day}</b>${month}</p>`;
}

/** @param {BoxofficeEvent} event */
function time(event) {
  if (!event.starts_at) return "";
  return when(event.starts_at, event.time_zone, {
    weekday: "long",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** @param {BoxofficeEvent} event */
function left(event) {
  if (event.available_seats === null) return nothing;
  if (event.available_seats === 0) return html`<span class="quiet">sold out</span>`;
  return html`<span class="quiet">${number(event.available_seats, "place")} left</span>`;
}

main().catch(fail);
