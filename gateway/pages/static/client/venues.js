// Where events take place: an event in a room is at that room's theater, and in its time zone.

import { call } from "./api.js";

/** @typedef {import("./types.js").BoxofficeEvent} BoxofficeEvent */

/** Fills in the venue and the time zone of events that have a room.
 * @param {BoxofficeEvent[]} events @returns {Promise<BoxofficeEvent[]>}
 */
export async function withVenues(events) {
  if (!events.some((event) => event.room_id)) return events;
  const rooms = new Map();
  for (const theater of await call("GET", "/api/theaters?page_size=200")) {
    for (const room of theater.rooms) {
      rooms.set(room.id, { venue: `${room.name}, ${theater.name}`, time_zone: theater.time_zone });
    }
  }
  return events.map((event) => {
    const { venue, time_zone } = rooms.get(event.room_id) ?? {};
    return { ...event, venue: event.venue || venue, time_zone: event.time_zone || time_zone };
  });
}
