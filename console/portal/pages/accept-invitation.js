/** The page that an invitation links to. */

import { h } from "../../shared/dom.js";
import { form } from "../../shared/form.js";
import { announce } from "../../shared/status.js";
import { newPasswordField } from "../fields.js";
import { takeToken, withoutToken } from "../link-token.js";
import { narrowPage } from "../../shared/page.js";

/** @param {import("../main.js").Context} context */
export function show({ api, session, router, query }) {
  const token = takeToken(query);
  if (!token) {
    return withoutToken("Accept the invitation");
  }
  return narrowPage(
    "Accept the invitation",
    "Choose a password. From then on you sign in with it and the address that the mail came to.",
    form({
      fields: [newPasswordField("password", "Password")],
      submit: "Join",
      working: "Joining…",
      guarded: false,
      send: async ({ password }) => {
        await api.acceptInvitation(token, password);
        await session.load();
        router.replace("/portal");
        announce("Welcome: you have joined.");
      },
    }),
    h("p", { class: "small" }, "Invited, but already a member? ", h("a", { href: "/sign-in" }, "Sign in")),
  );
}
