// The form for the best seats that are left.

import { html, nothing } from "../shell/shell.js";

const MOST = 10;

/** Returns the form; `hold` gets what is wanted.
 * @param {import("../seats/room.js").SeatRoom} room @param {(wish: object) => void} hold
 */
export function bestSeats(room, hold) {
  const types = [...new Set(room.seats.map((seat) => seat.type))];
  const sections = [...new Set([...room.seats, ...room.plan.areas].map((each) => each.section))];
  return html`<form
    class="picker"
    @submit=${(/** @type {SubmitEvent} */ event) => submit(event, hold)}
  >
    <label>Seats <input name="count" type="number" min="1" max=${MOST} value="2" required /></label>
    ${types.length > 1 ? choice("Type", "type", types) : nothing}
    ${sections.length > 1 ? choice("Section", "section", sections) : nothing}
    <label class="check"
      ><input name="adjacent" type="checkbox" checked /> next to each other</label
    >
    <button>Hold the best</button>
  </form>`;
}

/** @param {SubmitEvent} event @param {(wish: object) => void} hold */
function submit(event, hold) {
  event.preventDefault();
  const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
  const best = { count: Number(form.get("count")), adjacent: form.get("adjacent") === "on" };
  const wanted = ["type", "section"]
    .filter((name) => form.get(name))
    .map((name) => [name, form.get(name)]);
  hold({ best: { ...best, ...Object.fromEntries(wanted) } });
}

/** @param {string} title @param {string} name @param {string[]} values */
function choice(title, name, values) {
  return html`<label
    >${title}
    <select name=${name}>
      <option value="">any</option>
      ${values.map((value) => html`<option>${value}</option>`)}
    </select>
  </label>`;
}
