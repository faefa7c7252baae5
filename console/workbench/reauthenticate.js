/** Signing in with the operator token: on the page for it, and over the page that one is on. */

import { Invalid, textField } from "../shared/field.js";
import { form } from "../shared/form.js";
import { askToSignIn as ask } from "../shared/sign-in-dialog.js";

/**
 * @param {object} options
 * @param {import("./api.js").Api} options.api
 * @param {() => void} options.done
 * @param {import("../shared/dom.js").Child} [options.beside]
 * @param {boolean} [options.autofocus]
 */
export function signInForm({ api, done, beside, autofocus }) {
  const token = textField({
    name: "token",
    label: "Operator token",
    type: "password",
    mono: true,
    autofocus,
    parse: (given) => {
      const value = given.trim();
      if (!/^[\x21-\x7e]+$/.test(value)) {
        throw new Invalid("A token has no spaces, and letters and digits of ASCII only.");
      }
      return value;
    },
    hint: "The setting server.ops_token of this service. It is exchanged for a session of an hour and kept nowhere.",
  });
  return form({
    fields: [token],
    submit: "Sign in",
    working: "Signing in…",
    guarded: false,
    beside,
    send: async (values) => {
      await api.signIn(values.token);
      token.write("");
      done();
    },
  });
}

/**
 * @param {import("./api.js").Api} api
 * @param {() => void} leave
 * @returns {Promise<void>} rejects if nobody signs in
 */
export function askToSignIn(api, leave) {
  return ask((done, beside) => signInForm({ api, autofocus: true, beside, done }), leave);
}
