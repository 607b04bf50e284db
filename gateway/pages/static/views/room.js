// Draws a room from its rows, with a preview of the map that buyers will see.

import { call } from "../client/api.js";
import { session } from "../client/session.js";
import { placed, planOf } from "../seats/drawn-rows.js";
import { SeatMap } from "../seats/map.js";
import { SeatRoom } from "../seats/room.js";
import { explain, number } from "../shell/format.js";
import { announce, fail, html, nothing, part, render, save, submitted } from "../shell/shell.js";

/** @typedef {import("../seats/drawn-rows.js").DrawnRow} DrawnRow */

const TYPES = ["REGULAR", "VIP", "DELUXE"];
const KEPT = "boxoffice.room";
/** @type {DrawnRow[]} */
const EXAMPLE = [..."ABCDEFGH"].map((row) => ({
  row,
  seats: 14,
  aisles_after: [7],
  type: row === "F" ? "VIP" : "REGULAR",
}));

/** The rows are kept in this browser until the room is saved. @type {DrawnRow[]} */
let rows = JSON.parse(localStorage.getItem(KEPT) ?? "null") ?? EXAMPLE;
/** @type {{id: number, name: string}[]} */
let theaters = [];
/** @type {{text: string, isBad: boolean} | null} */
let note = null;

async function main() {
  theaters = await call("GET", "/api/theaters?page_size=200");
  changed();
}

function changed() {
  localStorage.setItem(KEPT, JSON.stringify(rows));
  showRows();
  showPreview();
  showSave();
}

function showRows() {
  render(
    html`
      <div class="scroll">
        <table class="rows">
          <thead>
            <tr>
              <th>Section</th>
              <th class="few">Row</th>
              <th class="few">Seats</th>
              <th>Type</th>
              <th>Aisles after</th>
              <th class="few"><span class="unseen">Remove</span></th>
            </tr>
          </thead>
          <tbody>
            ${rows.map(line)}
          </tbody>
        </table>
      </div>
      <p class="actions">
        <button @click=${addRow}>Add a row</button>
        <button @click=${() => replace([])} ?disabled=${rows.length < 2}>Start again</button>
      </p>
    `,
    part("rows"),
  );
}

/** @param {DrawnRow} row @param {number} index */
function line(row, index) {
  const of = `of row ${row.row}`;
  const set = (/** @type {Partial<DrawnRow>} */ change) => {
    Object.assign(row, change);
    changed();
  };
  return html`<tr>
    <td>
      <input
        aria-label="Section ${of}"
        .value=${row.section ?? ""}
        @change=${(/** @type {any} */ event) => set({ section: event.target.value })}
      />
    </td>
    <td>
      <input
        aria-label="Name ${of}"
        required
        .value=${row.row}
        @change=${(/** @type {any} */ event) => set({ row: event.target.value || "?" })}
      />
    </td>
    <td>
      <input
        aria-label="Seats ${of}"
        type="number"
        min="1"
        max="500"
        .value=${String(row.seats)}
        @change=${(/** @type {any} */ event) => set(resized(row, bounded(event.target.value)))}
      />
    </td>
    <td>
      <select
        aria-label="Type ${of}"
        @change=${(/** @type {any} */ event) => set({ type: event.target.value })}
      >
        ${TYPES.map((type) => html`<option ?selected=${type === (row.type ?? "REGULAR")}>${type}</option>`)}
      </select>
    </td>
    <td>
      <input
        aria-label="Aisles after seats ${of}"
        .value=${(row.aisles_after ?? []).join(", ")}
        @change=${(/** @type {any} */ event) => set({ aisles_after: numbers(event.target.value, row.seats) })}
      />
    </td>
    <td>
      <button
        aria-label="Remove row ${row.row}"
        ?disabled=${rows.length === 1}
        @click=${() => replace(rows.filter((each) => each !== row))}
      >
        ×
      </button>
    </td>
  </tr>`;
}

/** Returns a row of another length, without the aisles that it no longer has.
 * @param {DrawnRow} row
 * @param {number} seats
 */
function resized(row, seats) {
  return { seats, aisles_after: (row.aisles_after ?? []).filter((after) => after < seats) };
}

/** @param {string} text */
function bounded(text) {
  return Math.min(500, Math.max(1, Math.round(Number(text)) || 1));
}

/** @param {string} text @param {number} seats */
function numbers(text, seats) {
  const found = text
    .split(/[ ,]+/)
    .map(Number)
    .filter((each) => each >= 1 && each < seats);
  return [...new Set(found)].sort((one, other) => one - other);
}

/** Adds a row like the last one, with the next name. */
function addRow() {
  const last = rows[rows.length - 1];
  replace([...rows, { ...last, row: next(last.row) }]);
}

/** Returns B after A, and 10 after 9. @param {string} name */
function next(name) {
  if (/^\d+$/.test(name)) return String(Number(name) + 1);
  const last = name.charCodeAt(name.length - 1);
  return /[A-Ya-y]$/.test(name) ? name.slice(0, -1) + String.fromCharCode(last + 1) : `${name}A`;
}

/** @param {DrawnRow[]} drawn */
function replace(drawn) {
  rows = drawn.length ? drawn : [{ row: "A", seats: 10, type: "REGULAR", aisles_after: [] }];
  changed();
}

function showPreview() {
  const event = /** @type {any} */ ({ price: null, seat_type_prices: {} });
  new SeatMap(part("preview"), new SeatRoom(planOf(rows), event), null);
}

function showSave() {
  const seats = rows.reduce((sum, row) => sum + row.seats, 0);
  const isAdmin = session()?.user.role === "ADMIN";
  render(
    html`
      <h2>${number(seats, "seat")} in ${number(rows.length, "row")}</h2>
      ${
        isAdmin
          ? html`<form class="fields wide" @submit=${saveRoom}>
              <label
                >Theater
                <select name="theater" required>
                  ${theaters.map((each) => html`<option value=${each.id}>${each.name}</option>`)}
                </select></label
              >
              <label>Name of the room <input name="name" maxlength="200" required /></label>
              <button class="main">Save the room</button>
            </form>`
          : html`<p class="quiet">
              Admins save rooms. Send them this file; <code>boxoffice import-room</code> takes it,
              too.
            </p>`
      }
      <p class="actions">
        <button @click=${download}>Download as JSON</button>
        <label class="button"
          >Open a file <input class="unseen" type="file" accept=".json" @change=${open}
        /></label>
      </p>
      ${note ? html`<p class="notice ${note.isBad ? "bad" : ""}" role="alert">${note.text}</p>` : nothing}
    `,
    part("save"),
  );
}

/** @param {SubmitEvent} event */
async function saveRoom(event) {
  const { theater, name } = submitted(event);
  try {
    await call("POST", `/api/theaters/${theater}/rooms`, { name, rows: placed(rows) });
    note = { text: `${name} is saved. Events can take place in it.`, isBad: false };
  } catch (error) {
    note = { text: explain(error), isBad: true };
  }
  showSave();
}

function download() {
  save(
    new Blob([JSON.stringify({ rows: placed(rows) }, null, 2)], { type: "application/json" }),
    "room.json",
  );
}

/** @param {any} event */
async function open(event) {
  try {
    const { rows: read } = JSON.parse(await event.target.files[0].text());
    replace(read.map((/** @type {DrawnRow & {x: number, y: number}} */ { x, y, ...row }) => row));
    announce(number(rows.length, "row"));
  } catch {
    note = { text: "This file has no rows.", isBad: true };
    showSave();
  }
}

main().catch(fail);
