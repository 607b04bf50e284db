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
 *   queue?: QueueFollower,
 * }} Follower `apply` gets what is newer than `revision()`; `told` gets the state of the connection
 *
 * @typedef {{
 *   token: () => string,
 *   told: (update: any) => void,
 *   stream: ?{reopen: () => void, tellsQueue: boolean},
 * }} QueueFollower `token` is empty for who has no place; `stream` is set to what tells the queue
 */

/**
 * Follows an event until the page is left. A page that nobody sees for a minute stops listening, as a
 * browser has few connections for each server, unless somebody would lose a place in the queue.
 * @param {number} eventId @param {Follower} follower
 */
export function follow(eventId, follower) {
  const stream = new Stream(eventId, follower);
  /** @type {number | undefined} */
  let hidden;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(() => stream.tellsQueue || stream.stop(), HIDDEN_MS);
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
    this.isOpen = false;
    /** The token that was sent with the stream. */
    this.token = "";
    /** A token with which the stream was refused. */
    this.refused = "";
    if (follower.queue) follower.queue.stream = this;
  }

  /** Whether the position in the queue comes by the stream. */
  get tellsQueue() {
    return this.isOpen && this.token !== "";
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
    this.isOpen = false;
    this.told("paused");
  }

  /** Opens the stream again if there is another token. */
  reopen() {
    if (!this.isRunning || !this.hadStream || this.nextToken() === this.token) return;
    clearTimeout(this.timer);
    this.source?.close();
    this.open();
  }

  nextToken() {
    const token = this.follower.queue?.token() ?? "";
    return token === this.refused ? "" : token;
  }

  open() {
    const query = new URLSearchParams({ after_revision: String(this.follower.revision()) });
    this.isOpen = false;
    this.token = this.nextToken();
    if (this.token) query.set("queue_token", this.token);
    const source = new EventSource(`/api/events/${this.eventId}/stream?${query}`);
    this.source = source;
    source.onopen = () => {
      this.hadStream = true;
      this.isOpen = true;
      this.told("live");
    };
    source.onerror = () => this.lost(source);
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => this.received(kind, JSON.parse(message.data)));
    }
  }

  /** @param {string} kind @param {any} change */
  received(kind, change) {
    if (kind === "queue_update") {
      this.follower.queue?.told(change);
      return;
    }
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
    if (!this.isRunning || source !== this.source) return;
    this.isOpen = false;
    this.told("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    this.refused = this.token;
    // With a token it may be the token: the seats are shown without it.
    if (this.hadStream || this.token) this.again();
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
