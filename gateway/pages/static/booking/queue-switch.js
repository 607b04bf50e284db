// The queue of an event, as its organizer sets it.

import { call } from "../client/api.js";
import { explain, number } from "../shell/format.js";
import { announce, html, nothing, render, submitted } from "../shell/shell.js";

/** Shows how many wait, and the form to switch the queue.
 * @param {HTMLElement} element @param {import("../client/types.js").BoxofficeEvent} event
 */
export async function showQueueSwitch(element, event) {
  const path = `/api/queue/${event.id}`;
  const show = (/** @type {any} */ queue, /** @type {unknown} */ problem = null) => {
    render(
      html`<h2>Queue</h2>
        <p>
          ${
            queue.enabled
              ? `${number(queue.waiting, "person waits", "people wait")}, ${queue.active} may book now.`
              : "Everybody may book at once."
          }
        </p>
        <form class="fields wide" @submit=${save}>
          <label
            >Admitted in a minute
            <input
              name="rate_per_minute"
              type="number"
              min="0"
              max="60000"
              required
              .value=${String(queue.rate_per_minute || 600)}
          /></label>
          <label
            >At the same time
            <input
              name="max_active"
              type="number"
              min="1"
              max="100000"
              required
              .value=${String(queue.max_active || 500)}
          /></label>
          <label class="check"
            ><input name="enabled" type="checkbox" .checked=${queue.enabled} /> buyers wait for
            their turn</label
          >
          <button>Set the queue</button>
        </form>
        ${problem ? html`<p class="notice bad" role="alert">${explain(problem)}</p>` : nothing}`,
      element,
    );
  };
  /** @param {SubmitEvent} submission */
  const save = async (submission) => {
    const form = submitted(submission);
    const wish = {
      enabled: form.enabled === "on",
      rate_per_minute: Number(form.rate_per_minute),
      max_active: Number(form.max_active),
    };
    try {
      show(await call("PUT", path, wish));
      announce("The queue is set.");
    } catch (problem) {
      show(await call("GET", path), problem);
    }
  };
  show(await call("GET", path));
}
