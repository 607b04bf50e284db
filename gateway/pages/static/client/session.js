// Who uses the page: an account that signed in, or a guest where the server has open access.

const SESSION = "boxoffice.session";
const GUEST = "boxoffice.guest";

/**
 * @typedef {{access_token: string, refresh_token: string,
 *   user: {id: string, name: string, email: string, role: string}}} Session
 */

/** Returns the session of the account that signed in. @returns {?Session} */
export function session() {
  return JSON.parse(localStorage.getItem(SESSION) ?? "null");
}

/** Keeps a session; null signs out. @param {?Session} session */
export function keepSession(session) {
  if (session) localStorage.setItem(SESSION, JSON.stringify(session));
  else localStorage.removeItem(SESSION);
}

/** Returns the name of this browser as a buyer without an account. */
export function guestId() {
  let id = localStorage.getItem(GUEST);
  if (!id) {
    id = `guest-${randomHex(6)}`;
    localStorage.setItem(GUEST, id);
  }
  return id;
}

/** Returns the user that books: the account, or the guest. */
export function userId() {
  return session()?.user.id ?? guestId();
}

/** Returns random bytes in hexadecimal; `crypto.randomUUID` needs HTTPS. @param {number} bytes */
export function randomHex(bytes) {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @type {?Promise<{open_access: boolean, mailbox_url: string, has_test_cards: boolean}>} */
let settings = null;

/** Returns what the pages need to know of the server. */
export function serverSettings() {
  settings ??= fetch("/pages/settings.json").then((response) => response.json());
  return settings;
}

/** Returns whether whoever uses the page can book. */
export async function canBook() {
  return session() !== null || (await serverSettings()).open_access;
}
