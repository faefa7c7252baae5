/** The page that the mail of a forgotten password links to. */

import { linkButton } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { form } from "../../shared/form.js";
import { notice } from "../../shared/states.js";
import { newPasswordField } from "../fields.js";
import { forgetToken, takeToken, withoutToken } from "../link-token.js";
import { narrowPage, turnInto } from "../../shared/page.js";

/** @param {import("../main.js").Context} context */
export function show({ api, session, query }) {
  const token = takeToken(query);
  if (!token) {
    return withoutToken("Choose another password");
  }
  const content = narrowPage(
    "Choose another password",
    "You will be signed out everywhere.",
    form({
      fields: [newPasswordField("newPassword", "New password")],
      submit: "Set the password",
      working: "Setting…",
      guarded: false,
      send: async ({ newPassword }) => {
        await api.request("POST", "/api/auth/reset-password", { body: { token, newPassword }, anonymous: true });
        forgetToken();
        session.close();
        turnInto(
          content,
          narrowPage(
            "Your password is changed",
            null,
            notice("Sign in with the new one.", "success"),
            linkButton("Sign in", "/sign-in", { kind: "primary" }),
          ),
        );
      },
    }),
    h("p", { class: "small" }, h("a", { href: "/forgot-password" }, "Ask for another link")),
  );
  return content;
}
