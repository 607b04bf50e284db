// The form to pay a hold: a test card of the sandbox, of which a token takes the place.

import { price } from "../shell/format.js";
import { html } from "../shell/shell.js";

const CARDS = { tok_ok: "Test card that pays", tok_decline: "Test card that is declined" };

/** Returns the form; `pay` gets the token of the card.
 * @param {?import("../client/types.js").Money} money @param {boolean} isBusy
 * @param {(token: string) => void} pay
 */
export function paymentForm(money, isBusy, pay) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    pay(event.target.token.value);
  };
  return html`<form class="pay" @submit=${submit}>
    <fieldset>
      <legend>Pay</legend>
      ${Object.entries(CARDS).map(
        ([token, name], index) =>
          html`<label>
            <input type="radio" name="token" value=${token} ?checked=${index === 0} /> ${name}
          </label>`,
      )}
    </fieldset>
    <button class="main" ?disabled=${isBusy}>Pay ${price(money)}</button>
  </form>`;
}
