// Loads the seats of an event and keeps them current.

import { call, respond } from "../client/api.js";
import { follow } from "../client/live.js";
import { SeatRoom } from "./room.js";

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */

/** Returns the room of an event; the plan never changes, so the browser keeps it.
 * @param {BoxofficeEvent} event
 */
export async function loadRoom(event) {
  const map = await call("GET", mapPath(event.id));
  const plan = await call("GET", `/api/seat-plans/${map.plan_id}`);
  const room = new SeatRoom(plan, event);
  room.replace(map);
  return room;
}

/** Keeps a room current.
 * @param {SeatRoom} room
 * @param {{
 *   told?: (state: string) => void,
 *   heard?: (kind: string, change: any) => void,
 *   queue?: import("../client/live.js").QueueFollower,
 * }} [others] who wants to know more
 */
export function followRoom(room, { told, heard, queue } = {}) {
  let tag = "";
  return follow(room.event.id, {
    revision: () => room.revision,
    told,
    queue,
    apply: (kind, change) => {
      room.apply(kind, change);
      heard?.(kind, change);
    },
    poll: async () => {
      const known = tag ? { "If-None-Match": tag } : undefined;
      const response = await respond("GET", mapPath(room.event.id), undefined, known);
      if (response.status === 304) return;
      tag = response.headers.get("ETag") ?? "";
      const map = await response.json();
      if (map.revision !== room.revision) room.replace(map);
    },
  });
}

/** @param {number} eventId */
function mapPath(eventId) {
  return `/api/screenings/${eventId}/seats?sparse=true`;
}
