// The form to pay a hold: with a test card of the sandbox, or on a page of another provider.

import { price } from "../shell/format.js";
import { html } from "../shell/shell.js";

const CARDS = { tok_ok: "Test card that pays", tok_decline: "Test card that is declined" };

/** Returns the form; `pay` gets the token of the card, or "" if the provider asks for the card.
 * @param {?import("../client/types.js").Money} money @param {boolean} hasTestCards
 * @param {boolean} isBusy @param {(token: string) => void} pay
 */
export function paymentForm(money, hasTestCards, isBusy, pay) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    pay(hasTestCards ? event.target.token.value : "");
  };
  return html`<form class="pay" @submit=${submit}>
    ${hasTestCards ? testCards() : html`<p>You pay on a page of our payment provider.</p>`}
    <button class="main" ?disabled=${isBusy}>Pay ${price(money)}</button>
  </form>`;
}

function testCards() {
  return html`<fieldset>
    <legend>Pay</legend>
    ${Object.entries(CARDS).map(
      ([token, name], index) =>
        html`<label>
          <input type="radio" name="token" value=${token} ?checked=${index === 0} /> ${name}
        </label>`,
    )}
  </fieldset>`;
}
