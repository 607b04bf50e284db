// The queue of an event: join, see one's place, be let in.

import { call, Refused } from "../client/api.js";
import { explain, number } from "../shell/format.js";
import { announce, html, nothing, render } from "../shell/shell.js";

const LOOK_AGAIN_MS = 2000;
const LOOK_AGAIN_SELDOM_MS = 20_000;

/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */

/** Returns the header with this browser's place in the queue of an event.
 * @param {number} eventId @returns {Record<string, string>}
 */
export function queueCredentials(eventId) {
  const token = tokenOf(eventId);
  return token ? { "X-Queue-Token": token } : {};
}

/** @param {number} eventId */
function tokenOf(eventId) {
  return localStorage.getItem(`boxoffice.queue.${eventId}`) ?? "";
}

/** Figures of a queue, and the buttons to join and to leave it.
 *
 * The position comes by the stream of the event, if there is one (see `QueueFollower`); the page asks for it
 * otherwise.
 */
export class QueueTiles {
  /**
   * @param {HTMLElement} element @param {BoxofficeEvent} event @param {() => string} user
   * @param {{log?: (text: string) => void, off?: string}} [options] `off` is shown without a queue
   */
  constructor(element, event, user, { log = () => {}, off = "" } = {}) {
    this.element = element;
    this.event = event;
    this.user = user;
    this.log = log;
    this.off = off;
    this.path = `/api/queue/${event.id}`;
    this.state = "";
    /** @type {any} */
    this.queue = { enabled: false };
    /** @type {?{reopen: () => void, tellsQueue: boolean}} */
    this.stream = null;
    /** @type {unknown} */
    this.problem = null;
    this.keepLooking();
  }

  async keepLooking() {
    // Who holds a place must show a sign of life, also on a page that is not seen.
    const isQuiet = document.hidden && (!this.token() || this.stream?.tellsQueue);
    const isOn = isQuiet || (await this.look());
    const isSeldom = !isOn || this.stream?.tellsQueue;
    setTimeout(() => this.keepLooking(), isSeldom ? LOOK_AGAIN_SELDOM_MS : LOOK_AGAIN_MS);
  }

  /** Shows how long the queue is; returns whether there is one. @returns {Promise<boolean>} */
  async look() {
    try {
      const queue = await call("GET", this.path, undefined, this.credentials());
      this.show(queue);
      return queue.enabled;
    } catch (error) {
      if (!(error instanceof Refused)) return false;
      this.forget();
      this.show({ enabled: false });
      return error.code === "queue_entry_not_found";
    }
  }

  /** Shows what the stream tells of the place. @param {any} update */
  told({ enabled, ...you }) {
    this.show({ ...this.queue, enabled, you });
  }

  token() {
    return tokenOf(this.event.id);
  }

  credentials() {
    return queueCredentials(this.event.id);
  }

  async join() {
    await this.attempt(async () => {
      const { queue_token } = await call("POST", this.path, { user_id: this.user() });
      localStorage.setItem(`boxoffice.queue.${this.event.id}`, queue_token);
      this.stream?.reopen();
      this.log("joined the queue");
    });
  }

  async leave() {
    await this.attempt(async () => {
      await call("DELETE", this.path, undefined, this.credentials());
      this.forget();
      this.log("left the queue");
    });
  }

  forget() {
    localStorage.removeItem(`boxoffice.queue.${this.event.id}`);
    this.stream?.reopen();
  }

  /** @param {() => Promise<void>} work */
  async attempt(work) {
    this.problem = null;
    await work().catch((problem) => (this.problem = problem));
    await this.look();
  }

  /** @param {any} queue */
  show(queue) {
    this.queue = queue;
    const { enabled, waiting, active, you } = queue;
    if (you && you.state !== this.state && this.state) announce(sentence(you));
    this.state = you?.state ?? "";
    const off = this.off ? html`<p class="quiet">${this.off}</p>` : nothing;
    render(enabled ? this.tiles(waiting, active, you) : off, this.element);
  }

  /** @param {number} waiting @param {number} active @param {any} you */
  tiles(waiting, active, you) {
    const isIn = you && ["WAITING", "AWAY", "ADMITTED"].includes(you.state);
    return html`<div class="card">
      <p>
        ${you ? sentence(you) : "Buyers are let in one after the other. Join the queue to book."}
        ${you?.admitted_until ? html`<count-down until=${you.admitted_until}></count-down>` : nothing}
      </p>
      <dl class="tiles">
        <div>
          <dt>waiting</dt>
          <dd>${waiting}</dd>
        </div>
        <div>
          <dt>inside</dt>
          <dd>${active}</dd>
        </div>
        ${
          isIn
            ? html`<div>
                <dt>your place</dt>
                <dd>${you.position ?? "–"}</dd>
              </div>`
            : nothing
        }
        ${
          isIn && you.estimated_wait_seconds !== null
            ? html`<div>
                <dt>about</dt>
                <dd>${Math.ceil(you.estimated_wait_seconds / 60)} min</dd>
              </div>`
            : nothing
        }
      </dl>
      ${
        isIn
          ? html`<button @click=${() => this.leave()}>Leave the queue</button>`
          : html`<button class="main" @click=${() => this.join()}>Join the queue</button>`
      }
      ${this.problem ? html`<p class="notice bad">${explain(this.problem)}</p>` : nothing}
    </div>`;
  }
}

/** @param {{state: string, position: ?number}} you */
function sentence({ state, position }) {
  if (state === "ADMITTED") return "You are in, and can book.";
  if (state === "DONE") return "You have booked.";
  if (state === "WAITING" && position)
    return `You are number ${number(position, "", "").trim()} in line.`;
  if (state === "WAITING") return "You are in the queue. Places are drawn when it opens.";
  return "You are not in the queue.";
}
