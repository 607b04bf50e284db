// The seats of an event: where they are, and what is known of each.

/** @typedef {import("../client/types.js").Seat} Seat */
/** @typedef {import("../client/types.js").SeatPlan} SeatPlan */
/** @typedef {import("../client/types.js").SparseMap} SparseMap */
/** @typedef {import("../client/types.js").BoxofficeEvent} BoxofficeEvent */

const FREE = 0;
const HELD = 1;
const TAKEN = 2;
const BLOCKED = 3;
const LOOKS = ["free", "held", "taken", "taken"];

/** Fires `change` with the ids of seats that look different from now on, or null for all. */
export class SeatRoom extends EventTarget {
  /** @param {SeatPlan} plan @param {BoxofficeEvent} event */
  constructor(plan, event) {
    super();
    this.plan = plan;
    this.seats = plan.seats;
    this.event = event;
    this.typePrices = event.seat_type_prices ?? {};
    this.revision = 0;
    this.status = new Uint8Array(plan.capacity + 1);
    this.left = 0;
    /** Seats that the buyer points at, and those that the buyer holds. @type {Set<number>} */
    this.chosen = new Set();
    /** @type {Set<number>} */
    this.mine = new Set();
  }

  /** Returns the seat or the place of an area with an id. @param {number} id @returns {Seat} */
  seat(id) {
    return this.seats[id - 1] ?? this.place(id);
  }

  /** @param {number} id @returns {Seat} */
  place(id) {
    let first = this.seats.length + 1;
    const area = this.plan.areas.find((each) => {
      first += each.places;
      return id < first;
    });
    const nowhere = { number: 0, label: "", accessible: false, companion: false, x: 0, y: 0 };
    return {
      ...nowhere,
      seat_id: id,
      section: area?.section ?? "",
      row: "",
      type: area?.type ?? "",
    };
  }

  /** @param {number} id */
  price(id) {
    return this.typePrices[this.seat(id).type] ?? this.event.price;
  }

  /** @param {number} id */
  isFree(id) {
    return this.status[id] === FREE;
  }

  /** Returns what a seat looks like: free, chosen, mine, held or taken. @param {number} id */
  look(id) {
    if (this.mine.has(id)) return "mine";
    if (this.chosen.has(id) && this.isFree(id)) return "chosen";
    return LOOKS[this.status[id]];
  }

  /** Chooses a free seat, or gives it up. @param {number} id */
  toggle(id) {
    if (this.chosen.has(id)) this.chosen.delete(id);
    else if (this.isFree(id) && !this.mine.has(id)) this.chosen.add(id);
    else return;
    this.changed([id]);
  }

  /** Sets the seats that the buyer holds; what was chosen is forgotten. @param {number[]} ids */
  setMine(ids) {
    const before = [...this.mine, ...this.chosen];
    this.mine = new Set(ids);
    this.chosen.clear();
    this.changed([...before, ...ids]);
  }

  /** Takes over a sparse map of the API. @param {SparseMap} map */
  replace(map) {
    this.revision = map.revision;
    this.status.fill(FREE);
    for (const id of map.held) this.status[id] = HELD;
    for (const id of map.sold) this.status[id] = TAKEN;
    for (const id of map.blocked) this.status[id] = BLOCKED;
    this.recount();
    this.changed(null);
  }

  /** Takes over an event of the stream. @param {string} kind @param {any} change */
  apply(kind, change) {
    if (kind === "seat_status_update") this.snapshot(change);
    else if (kind === "seat_reserved") this.set(change, change.status === "HELD" ? HELD : TAKEN);
    else if (kind === "seat_released") this.set(change, FREE);
  }

  /** @param {{revision: number, seat_ids: number[]}} change @param {number} status */
  set(change, status) {
    this.revision = change.revision;
    for (const id of change.seat_ids) this.status[id] = status;
    this.recount();
    this.changed(change.seat_ids);
  }

  /** @param {{revision: number, held: string, sold: string}} map one bit a seat, in base64 */
  snapshot(map) {
    const [held, sold] = [bytes(map.held), bytes(map.sold)];
    this.revision = map.revision;
    for (let id = 1; id < this.status.length; id += 1) {
      const isBlocked = this.status[id] === BLOCKED;
      if (bit(held, id - 1)) this.status[id] = HELD;
      else if (!isBlocked) this.status[id] = bit(sold, id - 1) ? TAKEN : FREE;
    }
    this.recount();
    this.changed(null);
  }

  recount() {
    this.left = this.status.reduce((left, status) => left + (status === FREE ? 1 : 0), -1);
  }

  /** @param {?number[]} ids */
  changed(ids) {
    this.dispatchEvent(new CustomEvent("change", { detail: ids }));
  }
}

/** @param {string} base64 */
function bytes(base64) {
  return Uint8Array.from(atob(base64 ?? ""), (character) => character.charCodeAt(0));
}

/** @param {Uint8Array} bits @param {number} index */
function bit(bits, index) {
  return ((bits[index >> 3] ?? 0) >> (index & 7)) & 1;
}
