/** Asking for a mail with a link to another password. */

import { fill, h } from "../../shared/dom.js";
import { textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { notice } from "../../shared/states.js";
import { narrowPage } from "../../shared/page.js";

/** @param {import("../main.js").Context} context */
export function show({ api }) {
  const result = h("div", { role: "status" });
  return narrowPage(
    "Forgot your password?",
    "A link to choose another one is sent to you.",
    form({
      fields: [textField({ name: "email", label: "E-mail", type: "email", autocomplete: "username" })],
      submit: "Send the link",
      working: "Sending…",
      guarded: false,
      send: async (body) => {
        fill(result);
        await api.request("POST", "/api/auth/forgot-password", { body, anonymous: true });
        const words = "If there is an account with this address, a mail is on its way. Its link is good for an hour.";
        fill(result, notice(words, "success"));
      },
    }),
    result,
    h("p", { class: "small" }, h("a", { href: "/sign-in" }, "Back to signing in")),
  );
}
