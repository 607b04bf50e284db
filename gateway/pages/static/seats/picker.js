// Seats as lists: section, row, seat. The way in for those who cannot use the map.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { price } from "../shell/format.js";
import { rows } from "./geometry.js";

/** @typedef {import("../client/types.js").Seat} Seat */

export class SeatPicker {
  /**
   * @param {HTMLElement} element
   * @param {import("./room.js").SeatRoom} room
   * @param {(id: number) => void} pick
   */
  constructor(element, room, pick) {
    this.element = element;
    this.room = room;
    this.pick = pick;
    this.rows = rows(room.seats);
    this.sections = [...new Set(room.seats.map((seat) => seat.section))];
    this.section = this.sections[0];
    this.row = this.rows[0][0].row;
    this.seat = 0;
    room.addEventListener("change", () => this.show());
    this.show();
  }

  show() {
    const inSection = this.rows.filter(([seat]) => seat.section === this.section);
    const row = inSection.find(([seat]) => seat.row === this.row) ?? inSection[0];
    const free = row.filter(
      (seat) => this.room.isFree(seat.seat_id) && !this.room.chosen.has(seat.seat_id),
    );
    if (!free.some((seat) => seat.seat_id === this.seat)) this.seat = free[0]?.seat_id ?? 0;
    render(
      html`<form class="picker" @submit=${(/** @type {SubmitEvent} */ event) => this.submit(event)}>
        ${
          this.sections.length > 1
            ? select("Section", this.sections, this.section, (value) =>
                this.choose({ section: value }),
              )
            : nothing
        }
        ${select(
          "Row",
          inSection.map(([seat]) => seat.row),
          row[0].row,
          (value) => this.choose({ row: value }),
        )}
        <label
          >Seat
          <select @change=${(/** @type {any} */ event) => (this.seat = Number(event.target.value))}>
            ${free.map(
              (seat) =>
                html`<option value=${seat.seat_id} ?selected=${seat.seat_id === this.seat}>
                  ${seat.label},
                  ${price(this.room.price(seat.seat_id))}${seat.accessible ? ", wheelchair" : ""}
                </option>`,
            )}
            ${free.length === 0 ? html`<option value="0">none left</option>` : nothing}
          </select>
        </label>
        <button ?disabled=${free.length === 0}>Choose</button>
      </form>`,
      this.element,
    );
  }

  /** @param {{section?: string, row?: string}} choice */
  choose(choice) {
    Object.assign(this, choice);
    this.show();
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    if (this.seat) this.pick(this.seat);
  }
}

/**
 * @param {string} name
 * @param {string[]} values
 * @param {string} chosen
 * @param {(value: string) => void} choose
 */
function select(name, values, chosen, choose) {
  return html`<label
    >${name}
    <select @change=${(/** @type {any} */ event) => choose(event.target.value)}>
      ${values.map((value) => html`<option ?selected=${value === chosen}>${value}</option>`)}
    </select>
  </label>`;
}
