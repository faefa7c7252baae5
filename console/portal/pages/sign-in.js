/** Signing in, and back to where one was. */

import { h } from "../../shared/dom.js";
import { textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { narrowPage } from "../../shared/page.js";

/** @param {import("../main.js").Context} context */
export function show({ api, session, router, query }) {
  const email = textField({ name: "email", label: "E-mail", type: "email", autocomplete: "username" });
  const password = textField({
    name: "password",
    label: "Password",
    type: "password",
    autocomplete: "current-password",
  });
  const target = query.get("return") ?? "";
  return narrowPage(
    "Sign in",
    null,
    form({
      fields: [email, password],
      submit: "Sign in",
      working: "Signing in…",
      guarded: false,
      send: async (values) => {
        await api.signIn(values.email, values.password);
        await session.load();
        router.replace(/^\/portal(\/|$)/.test(target) ? target : "/portal");
      },
    }),
    h(
      "div",
      { class: "row row-apart small" },
      h("a", { href: "/forgot-password" }, "Forgot your password?"),
      h("a", { href: "/register" }, "Register an organization"),
    ),
  );
}
