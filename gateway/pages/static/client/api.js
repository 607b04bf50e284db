// Calls of the REST API: credentials, retries that cannot book twice, and refusals as exceptions.

import { keepSession, randomHex, session } from "./session.js";

const TRIES = 4;

/** A request that the server refused, with the code and the details of its body. */
export class Refused extends Error {
  /** @param {number} status @param {{error?: string, details?: any}} body */
  constructor(status, body) {
    super(body.error ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.error ?? "";
    this.details = body.details ?? null;
  }
}

let serverIsAhead = 0;

/** Returns the time of the server, which decides when a hold ends. */
export function serverNow() {
  return Date.now() + serverIsAhead;
}

/**
 * Returns the JSON of a response, or null if it has none.
 *
 * A write carries an idempotency key, so it is repeated safely if its response was lost.
 * @param {string} method @param {string} path @param {object} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 * @throws {Refused} if the server refuses; {TypeError} if it cannot be reached
 */
export async function call(method, path, body, headers = {}) {
  const response = await respond(method, path, body, headers);
  if (response.status === 204) return null;
  return response.json();
}

/** Returns the JSON of a response to somebody without an account, whoever has signed in.
 * @param {string} method @param {string} path @param {object} [body]
 * @param {Record<string, string>} [headers] @returns {Promise<any>}
 */
export async function callAsGuest(method, path, body, headers = {}) {
  const response = await sent(method, path, body, headers, persistent);
  return response.json();
}

/** Returns the response to a GET or to a write; see `call`, which reads its JSON.
 * @param {string} method @param {string} path @param {object} [body]
 * @param {Record<string, string>} [headers]
 */
export function respond(method, path, body, headers = {}) {
  return sent(method, path, body, headers, authorized);
}

/** @param {string} method @param {string} path @param {object | undefined} body
 * @param {Record<string, string>} headers @param {typeof persistent} send
 */
async function sent(method, path, body, headers, send) {
  const all = { ...headers };
  if (body) all["Content-Type"] = "application/json";
  const isAboutAccounts = path.startsWith("/auth/") || path.startsWith("/api/auth/");
  if (method !== "GET" && !isAboutAccounts) all["Idempotency-Key"] = randomHex(16);
  const options = { method, body: body && JSON.stringify(body), headers: all };
  const response = await send(path, options, isAboutAccounts ? 1 : TRIES);
  if (!response.ok && response.status !== 304) {
    throw new Refused(response.status, await response.json().catch(() => ({})));
  }
  return response;
}

/** Sends a request with the access token, which is renewed once if it has expired.
 * @param {string} path @param {any} options @param {number} tries
 */
async function authorized(path, options, tries) {
  const mine = session();
  if (!mine) return persistent(path, options, tries);
  options.headers.Authorization = `Bearer ${mine.access_token}`;
  const response = await persistent(path, options, tries);
  if (response.status !== 401 || !(await renewed(mine.refresh_token))) return response;
  options.headers.Authorization = `Bearer ${session()?.access_token}`;
  return persistent(path, options, tries);
}

/** Sends a request, again if its outcome is unknown or the server asks for patience.
 * @param {string} path @param {any} options @param {number} tries
 */
async function persistent(path, options, tries) {
  for (let left = tries - 1; ; left -= 1) {
    try {
      const response = await fetch(path, options);
      const date = response.headers.get("Date");
      if (date) serverIsAhead = Date.parse(date) + 500 - Date.now();
      const again = response.status === 503 || response.status === 504;
      if (!again || left === 0) return response;
      await pause(Number(response.headers.get("Retry-After") ?? 1) * 1000);
    } catch (error) {
      if (left === 0) throw error;
      await pause(1000);
    }
  }
}

/** Exchanges the refresh token for a new session. Two pages that do so at once wait for each other.
 * @param {string} refreshToken
 */
async function renewed(refreshToken) {
  return locked(async () => {
    if (session()?.refresh_token !== refreshToken) return session() !== null;
    const response = await fetch("/api/auth/refresh", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: refreshToken }),
    });
    if (response.ok) keepSession(await response.json());
    else if (response.status === 401) keepSession(null);
    return response.ok;
  });
}

/** Runs something while no other page of this browser does; locks need HTTPS or this machine.
 * @param {() => Promise<boolean>} work
 */
function locked(work) {
  return navigator.locks ? navigator.locks.request("boxoffice.session", work) : work();
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
