// Follows an event: by its stream of changes, or by asking again where there is no stream.

const POLL_MS = 2000;
const MOST_RETRY_MS = 4000;
const HIDDEN_MS = 60_000;
const KINDS = ["seat_status_update", "seat_reserved", "seat_released", "queue_update"];

/**
 * @typedef {{
 *   revision: () => number,
 *   apply: (kind: string, change: any) => void,
 *   poll: () => Promise<void>,
 *   told?: (state: string) => void,
 * }} Follower `apply` gets what is newer than `revision()`; `told` gets the state of the connection
 */

/**
 * Follows an event until the page is left. A page that nobody sees for a minute stops listening:
 * a browser has few connections for each server.
 * @param {number} eventId @param {Follower} follower
 */
export function follow(eventId, follower) {
  const stream = new Stream(eventId, follower);
  /** @type {number | undefined} */
  let hidden;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(() => stream.stop(), HIDDEN_MS);
    else stream.start();
  });
  stream.start();
  return stream;
}

class Stream {
  /** @param {number} eventId @param {Follower} follower */
  constructor(eventId, follower) {
    this.eventId = eventId;
    this.follower = follower;
    /** @type {?EventSource} */
    this.source = null;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.hadStream = false;
    this.isRunning = false;
    /** Sent with the stream by whoever stands in a queue. */
    this.queueToken = "";
  }

  start() {
    if (this.isRunning) return;
    this.isRunning = true;
    this.open();
  }

  stop() {
    this.isRunning = false;
    clearTimeout(this.timer);
    this.source?.close();
    this.told("paused");
  }

  /** Opens the stream again, with the token of a queue. @param {string} queueToken */
  reopen(queueToken) {
    this.queueToken = queueToken;
    this.source?.close();
    if (this.isRunning && this.hadStream) this.open();
  }

  open() {
    const query = new URLSearchParams({ after_revision: String(this.follower.revision()) });
    if (this.queueToken) query.set("queue_token", this.queueToken);
    const source = new EventSource(`/api/events/${this.eventId}/stream?${query}`);
    this.source = source;
    source.onopen = () => {
      this.hadStream = true;
      this.told("live");
    };
    source.onerror = () => this.lost(source);
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => this.received(kind, JSON.parse(message.data)));
    }
  }

  /** @param {string} kind @param {any} change */
  received(kind, change) {
    const mine = this.follower.revision();
    const isChange = kind === "seat_reserved" || kind === "seat_released";
    if (isChange && change.revision <= mine) return;
    if (isChange && change.after_revision > mine) {
      this.source?.close();
      this.again();
      return;
    }
    this.follower.apply(kind, change);
  }

  /** An EventSource that was refused ends for good; one that was cut off returns by itself.
   * @param {EventSource} source
   */
  lost(source) {
    if (!this.isRunning) return;
    this.told("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    if (this.hadStream) this.again();
    else this.poll();
  }

  again() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.isRunning && this.open(), Math.random() * MOST_RETRY_MS);
  }

  async poll() {
    if (!this.isRunning) return;
    try {
      await this.follower.poll();
      this.told("polling");
    } catch {
      this.told("reconnecting");
    }
    this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  /** @param {string} state */
  told(state) {
    this.follower.told?.(state);
  }
}
