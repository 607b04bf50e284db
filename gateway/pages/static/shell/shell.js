// The head and foot of every page, and the small elements that pages share.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { call, serverNow } from "../client/api.js";
import { keepSession, serverSettings, session } from "../client/session.js";
import { explain } from "./format.js";

export { html, nothing, render };

/** Returns the element with an id. @param {string} id @returns {HTMLElement} */
export function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** Returns a number of the page's address, such as `?id=5`; 0 if it has none.
 * @param {string} name
 */
export function numberOfAddress(name) {
  return Number(new URLSearchParams(location.search).get(name) ?? 0);
}

/** Speaks to users of screen readers without moving their focus. @param {string} text */
export function announce(text) {
  part("announcement").textContent = text;
}

/** Returns the values of a form by the names of its fields.
 * @param {SubmitEvent} event
 * @returns {Record<string, string>}
 */
export function submitted(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  return /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
}

/** Lets the browser save a file. @param {Blob} file @param {string} name */
export function save(file, name) {
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(file),
    download: name,
  });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Shows what went wrong instead of the page. @param {unknown} error */
export function fail(error) {
  render(html`<p class="notice bad" role="alert">${explain(error)}</p>`, part("main"));
  console.warn(error);
}

/** The head of the page: the name, the ways to other pages, who is signed in. */
class SiteHeader extends HTMLElement {
  connectedCallback() {
    const user = session()?.user;
    render(
      html`
        <a class="skip" href="#main">Skip to the page</a>
        <header>
          <a class="brand" href="/">Boxoffice</a>
          <nav aria-label="Pages">
            ${link("/", "Events")} ${link("/pages/bookings.html", "My bookings")}
            ${link("/pages/organize.html", "Organize")}
          </nav>
          <span class="who">
            ${
              user
                ? html`${user.name || user.email}
                    <button class="link" @click=${signOut}>Sign out</button>`
                : link("/pages/sign-in.html", "Sign in")
            }
          </span>
        </header>
        <p id="announcement" class="unseen" role="status"></p>
      `,
      this,
    );
  }
}

/** @param {string} target @param {string} name */
function link(target, name) {
  const isHere = location.pathname === target;
  return html`<a href=${target} aria-current=${isHere ? "page" : nothing}>${name}</a>`;
}

async function signOut() {
  const refresh_token = session()?.refresh_token;
  keepSession(null);
  await call("POST", "/auth/logout", { refresh_token }).catch(console.warn);
  location.assign("/");
}

class SiteFooter extends HTMLElement {
  async connectedCallback() {
    const { mailbox_url } = await serverSettings();
    render(
      html`<footer>
        <a href="/seat-reservation-demo.html">Seat map demo</a>
        <a href="/docs">API</a>
        <a href="/docs/first-steps">For developers</a>
        ${mailbox_url ? html`<a href=${mailbox_url}>Mailbox of this run</a>` : nothing}
      </footer>`,
      this,
    );
  }
}

/** `<count-down until="…">`: minutes and seconds left by the server's clock; fires `over` once. */
class CountDown extends HTMLElement {
  static observedAttributes = ["until"];
  shown = "";
  isOver = false;
  wasWarned = false;

  connectedCallback() {
    this.setAttribute("role", "timer");
    this.timer = setInterval(() => this.show(), 250);
    this.show();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  attributeChangedCallback() {
    this.isOver = false;
    this.wasWarned = false;
  }

  show() {
    const left = Math.max(0, Date.parse(this.getAttribute("until") ?? "") - serverNow());
    const seconds = Math.floor(left / 1000);
    const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (this.shown !== text) this.shown = this.textContent = text;
    this.classList.toggle("short", seconds <= 60);
    if (seconds === 60 && !this.wasWarned) {
      this.wasWarned = true;
      announce("One minute left.");
    }
    if (left === 0 && !this.isOver) {
      this.isOver = true;
      this.dispatchEvent(new Event("over"));
    }
  }
}

customElements.define("site-header", SiteHeader);
customElements.define("site-footer", SiteFooter);
customElements.define("count-down", CountDown);
