/** The page that the mail of a registration links to. */

import { linkButton } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { notice } from "../../shared/states.js";
import { forgetToken, takeToken, withoutToken } from "../link-token.js";
import { narrowPage, turnInto } from "../../shared/page.js";

/** @param {import("../main.js").Context} context */
export function show({ api, session, query }) {
  const token = takeToken(query);
  if (!token) {
    return withoutToken("Verify your e-mail address");
  }
  const content = narrowPage(
    "Verify your e-mail address",
    "Enter the password that you chose. The link alone is not enough: anybody could register with your address.",
    form({
      fields: [
        textField({ name: "password", label: "Password", type: "password", autocomplete: "current-password" }),
      ],
      submit: "Verify",
      working: "Verifying…",
      guarded: false,
      send: async ({ password }) => {
        await api.request("POST", "/api/auth/verify-email", { body: { token, password }, anonymous: true });
        forgetToken();
        session.close();
        turnInto(
          content,
          narrowPage(
            "Your address is verified",
            null,
            notice("All sessions opened before were ended. Sign in to go on.", "success"),
            linkButton("Sign in", "/sign-in", { kind: "primary" }),
          ),
        );
      },
    }),
    h(
      "p",
      { class: "small" },
      "If the password is right and it is refused, the link is used or a day old: ",
      h("a", { href: "/sign-in" }, "sign in"),
      " and ask for another mail.",
    ),
  );
  return content;
}
