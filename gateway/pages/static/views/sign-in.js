// Signing in with a password, making an account with a code from the mail, and a new password.

import { call } from "../client/api.js";
import { keepSession, serverSettings } from "../client/session.js";
import { explain } from "../shell/format.js";
import { fail, html, nothing, part, render, submitted } from "../shell/shell.js";

/** Which form is shown, and the address that a code was sent to. */
const state = { form: "password", email: "", busy: false, problem: /** @type {unknown} */ (null) };
const FORMS = {
  password: passwordForm,
  address: addressForm,
  register: registerForm,
  forgotten: forgottenForm,
  reset: resetForm,
};

async function main() {
  const { mailbox_url } = await serverSettings();
  const form = FORMS[/** @type {keyof typeof FORMS} */ (state.form)];
  const isAboutCode = state.form === "register" || state.form === "reset";
  render(
    html`
      ${
        isAboutCode
          ? html`<p class="notice">
              A code is on its way to ${state.email}.
              ${mailbox_url ? html`This run shows its mail in the <a href=${mailbox_url} target="_blank">mailbox</a>.` : nothing}
            </p>`
          : nothing
      }
      ${form()}
      ${state.problem ? html`<p class="notice bad" role="alert">${explain(state.problem)}</p>` : nothing}
      <p class="facts">
        ${state.form === "password" ? go("address", "Make an account") : go("password", "Sign in with a password")}
        ${state.form === "password" ? go("forgotten", "Password forgotten?") : nothing}
      </p>
    `,
    part("sign-in"),
  );
}

function passwordForm() {
  return fields(html`${email()} ${password("current-password")}`, "Sign in", async (form) => {
    signIn(await call("POST", "/auth/login", { email: form.email, password: form.password }));
  });
}

function addressForm() {
  return fields(email(), "Send me a code", async (form) => {
    await call("POST", "/auth/send-code", { email: form.email, type: "register" });
    show("register", form.email);
  });
}

function registerForm() {
  const names = html`
    ${code()}
    <label>First name <input name="firstname" autocomplete="given-name" required /></label>
    <label>Last name <input name="lastname" autocomplete="family-name" required /></label>
    <label>Country <input name="country" autocomplete="country-name" required /></label>
    ${password("new-password")}
    <label class="check"><input type="checkbox" name="organizer" /> I organize events</label>
  `;
  return fields(names, "Make my account", async ({ code, organizer, ...form }) => {
    const role = organizer ? "ORGANIZER" : "USER";
    signIn(
      await call("POST", "/auth/register", {
        ...form,
        role,
        email: state.email,
        email_verification_code: code,
      }),
    );
  });
}

function forgottenForm() {
  return fields(email(), "Send me a code", async (form) => {
    await call("POST", "/auth/forgot-password", { email: form.email });
    show("reset", form.email);
  });
}

function resetForm() {
  return fields(
    html`${code()} ${password("new-password")}`,
    "Set the password and sign in",
    async (form) => {
      signIn(
        await call("POST", "/auth/reset-password", {
          email: state.email,
          code: form.code,
          new_password: form.password,
        }),
      );
    },
  );
}

/** Returns a form; `send` gets its values.
 * @param {unknown} inputs
 * @param {string} name
 * @param {(form: Record<string, string>) => Promise<void>} send
 */
function fields(inputs, name, send) {
  const submit = async (/** @type {SubmitEvent} */ event) => {
    const form = submitted(event);
    Object.assign(state, { busy: true, problem: null });
    await send(form).catch((problem) => (state.problem = problem));
    state.busy = false;
    await main();
  };
  return html`<form class="fields" @submit=${submit}>
    ${inputs} <button class="main" ?disabled=${state.busy}>${name}</button>
  </form>`;
}

function email() {
  return html`<label
    >E-mail <input name="email" type="email" autocomplete="email" required
  /></label>`;
}

function code() {
  return html`<label
    >Code from the mail
    <input
      name="code"
      inputmode="numeric"
      autocomplete="one-time-code"
      pattern="[0-9]{6}"
      required
    />
  </label>`;
}

/** @param {string} kind */
function password(kind) {
  return html`<label
    >Password <input name="password" type="password" autocomplete=${kind} minlength="8" required
  /></label>`;
}

/** @param {string} form @param {string} name */
function go(form, name) {
  return html`<button class="link" type="button" @click=${() => show(form)}>${name}</button>`;
}

/** @param {string} form @param {string} [address] */
function show(form, address = "") {
  Object.assign(state, { form, email: address, problem: null });
  main();
}

/** @param {import("../client/session.js").Session} session */
function signIn(session) {
  keepSession(session);
  location.assign("/");
}

main().catch(fail);
