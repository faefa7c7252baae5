/** Signing in again over the page that one is on, so that nothing entered there is lost. */

import { button } from "../shared/button.js";
import { openDialog } from "../shared/dialog.js";
import { h } from "../shared/dom.js";
import { SignedOutError } from "../shared/errors.js";
import { textField } from "../shared/field.js";
import { form } from "../shared/form.js";

/**
 * @param {import("./api.js").Api} api
 * @param {import("./session.js").Session} session
 * @param {import("../shared/router.js").Router<any>} router
 * @returns {Promise<void>} rejects if somebody else is to sign in
 */
export function askToSignIn(api, session, router) {
  const { email } = session.me;
  return new Promise((resolve, reject) => {
    let again = false;
    openDialog(
      "Your session has ended",
      (close) => [
        h("p", {}, "Sign in to go on.", document.querySelector("main form") && " What you entered on this page is kept."),
        form({
          fields: [
            textField({ name: "email", label: "E-mail", value: email, readonly: true, autocomplete: "username" }),
            textField({
              name: "password",
              label: "Password",
              type: "password",
              autocomplete: "current-password",
              autofocus: true,
            }),
          ],
          submit: "Sign in",
          working: "Signing in…",
          guarded: false,
          beside: button("Leave the page", { onclick: close }),
          send: async ({ password }) => {
            await api.signIn(email, password);
            again = true;
            close();
          },
        }),
      ],
      {
        onclose: () => {
          if (again) {
            resolve();
            return;
          }
          reject(new SignedOutError());
          session.close();
          router.go("/sign-in");
        },
      },
    );
  });
}
