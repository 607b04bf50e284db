// At the door: a code is typed, comes from a hand scanner, or is seen by the camera.

import { call } from "../client/api.js";
import { randomHex, session } from "../client/session.js";
import { explain, seatName, when } from "../shell/format.js";
import { fail, html, nothing, numberOfAddress, part, render, submitted } from "../shell/shell.js";

const SAME_CODE_MS = 4000;
const LOOK_EVERY_MS = 150;
const KEPT = 50;

const id = numberOfAddress("id");
/** @type {{time: string, text: string, isGood: boolean}[]} */
const history = [];
const camera = { isOn: false, last: "", at: 0 };

async function main() {
  if (!session()) {
    render(
      html`<p>Please <a href="/pages/sign-in.html">sign in</a> as the organizer.</p>`,
      part("scan"),
    );
    return;
  }
  const event = await call("GET", `/events/${id}`);
  part("title").textContent = `At the door: ${event.name}`;
  showForm();
}

function showForm() {
  const canSee = "BarcodeDetector" in window;
  render(
    html`<form class="fields" @submit=${type}>
        <label
          >Code of a ticket
          <input name="code" autocomplete="off" autofocus required maxlength="1024"
        /></label>
        <button class="main">Check in</button>
      </form>
      ${
        canSee
          ? html`<p><button @click=${look} ?disabled=${camera.isOn}>Use the camera</button></p>`
          : html`<p class="quiet">
              This browser cannot read codes with the camera: type the code, or use a hand scanner.
            </p>`
      }
      <video class="camera" playsinline muted ?hidden=${!camera.isOn}></video>`,
    part("scan"),
  );
}

/** @param {SubmitEvent} event */
async function type(event) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  const { code } = submitted(event);
  form.reset();
  await checkIn(code.trim());
}

/** Admits the holder of a code. The nonce lets the request be repeated if its response is lost.
 * @param {string} code
 */
async function checkIn(code) {
  try {
    const { seat, admitted_at } = await call("POST", "/api/tickets/check-in", {
      code,
      nonce: randomHex(12),
      event_id: id,
    });
    show(true, `Admitted: ${seat.seat_id ? seatName(seat) : "one place"}`, admitted_at);
  } catch (error) {
    const usedAt = /** @type {any} */ (error).details?.used_at;
    const since = usedAt ? ` (${when(usedAt, null, { timeStyle: "medium" })})` : "";
    show(false, explain(error) + since, new Date().toISOString());
  }
}

/** @param {boolean} isGood @param {string} text @param {string} moment */
function show(isGood, text, moment) {
  history.unshift({ time: when(moment, null, { timeStyle: "medium" }), text, isGood });
  history.splice(KEPT);
  render(
    html`<p class="verdict ${isGood ? "good" : "bad"}">${isGood ? "✓" : "✕"} ${text}</p>`,
    part("result"),
  );
  render(
    html`<h2>Scans</h2>
      <ul class="seats">
        ${history.map((scan) => html`<li><span>${scan.isGood ? "✓" : "✕"} ${scan.text}</span> <span>${scan.time}</span></li>`)}
      </ul>`,
    part("history"),
  );
}

/** Shows the camera, and checks in each code that it sees. */
async function look() {
  const video = /** @type {HTMLVideoElement} */ (document.querySelector("video"));
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment" },
    });
  } catch {
    show(false, "The camera cannot be used.", new Date().toISOString());
    return;
  }
  camera.isOn = true;
  showForm();
  await video.play();
  const detector = new /** @type {any} */ (window).BarcodeDetector({ formats: ["qr_code"] });
  setInterval(async () => {
    const [found] = await detector.detect(video);
    if (found) await seen(found.rawValue);
  }, LOOK_EVERY_MS);
}

/** A code stays in sight for a while, and is checked in once. @param {string} code */
async function seen(code) {
  const isAgain = code === camera.last && Date.now() - camera.at < SAME_CODE_MS;
  Object.assign(camera, { last: code, at: Date.now() });
  if (!isAgain) await checkIn(code);
}

main().catch(fail);
