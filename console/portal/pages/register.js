/** Registering an organization with its first owner. */

import { h } from "../../shared/dom.js";
import { textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { announce } from "../../shared/status.js";
import { narrowPage } from "../../shared/page.js";
import { newPasswordField, slugField } from "../fields.js";

/** @param {import("../main.js").Context} context */
export function show({ api, session, router }) {
  const fields = [
    textField({ name: "orgName", label: "Organization's name", autocomplete: "organization", maxlength: 200 }),
    slugField("orgSlug", ""),
    textField({ name: "ownerEmail", label: "Your e-mail", type: "email", autocomplete: "username" }),
    newPasswordField("ownerPassword", "Password"),
  ];
  return narrowPage(
    "Register an organization",
    "You become its first owner.",
    form({
      fields,
      submit: "Register",
      working: "Registering…",
      guarded: false,
      send: async (body) => {
        await api.request("POST", "/api/auth/register", { body, anonymous: true });
        await api.signIn(body.ownerEmail, body.ownerPassword);
        await session.load();
        router.replace("/portal");
        announce("Registered. A mail with a link is on its way to you.");
      },
    }),
    h("p", { class: "small" }, "Already registered? ", h("a", { href: "/sign-in" }, "Sign in")),
  );
}
