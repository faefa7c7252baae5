/** Signing in again, as the same person. */

import { textField } from "../shared/field.js";
import { form } from "../shared/form.js";
import { askToSignIn as ask } from "../shared/sign-in-dialog.js";

/**
 * @param {import("./api.js").Api} api
 * @param {import("./session.js").Session} session
 * @param {import("../shared/router.js").Router<any>} router
 * @returns {Promise<void>} rejects if somebody else is to sign in
 */
export function askToSignIn(api, session, router) {
  const { email } = session.me;
  const signInForm = (/** @type {() => void} */ done, /** @type {HTMLElement} */ beside) =>
    form({
      fields: [
        textField({ name: "email", label: "E-mail", value: email, readonly: true, autocomplete: "username" }),
        textField({ name: "password", label: "Password", type: "password", autocomplete: "current-password", autofocus: true }),
      ],
      submit: "Sign in",
      working: "Signing in…",
      guarded: false,
      beside,
      send: async ({ password }) => {
        await api.signIn(email, password);
        done();
      },
    });
  return ask(signInForm, () => {
    session.close();
    router.go("/sign-in");
  });
}
