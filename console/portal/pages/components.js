/** The components of the console, each in its states. */

import { badge, button, linkButton } from "../../shared/button.js";
import { copyable } from "../../shared/copy.js";
import { confirmDialog, openDialog } from "../../shared/dialog.js";
import { h } from "../../shared/dom.js";
import { ApiError, errorNotice } from "../../shared/errors.js";
import { choicesField, selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, empty, notice } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { pairs, table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { time } from "../../shared/time.js";
import { page } from "../../shared/page.js";

const TRICKS = "<img src=x onerror=alert(1)> \u202Egnirts\u202C a\u200Bb";

export function show() {
  const wrong = textField({ name: "wrong", label: "A field with an error", value: "Acme!", hint: "Its hint." });
  wrong.fail("may have lowercase letters, digits and single hyphens only");
  return page(
    "Components",
    "What the console is made of. console/shared has one module for each.",
    card("Tokens: tokens.css", tokens(), { explanation: "Colours, space and type. Nothing else gives any." }),
    card("Buttons: button.js", [
      h("div", { class: "row" }, [
        button("Primary", { kind: "primary" }),
        button("Plain button"),
        button("Danger", { kind: "danger" }),
        button("Small", { small: true }),
        linkButton("A link", "/components"),
      ]),
    ]),
    card("Badges: button.js", h("div", { class: "row" }, badge("Neutral"), badge("Good", "good"), badge("Warning", "warning"), badge("Bad", "bad"))),
    card(
      "Fields and forms: field.js, form.js",
      form({
        fields: [
          textField({ name: "name", label: "A text", hint: "A hint says what is expected." }),
          textField({ name: "more", label: "An optional text", optional: true }),
          wrong,
          textField({ name: "password", label: "A password", type: "password", autocomplete: "off" }),
          selectField({ name: "one", label: "One of several", options: [{ value: "a", label: "The first" }] }),
          choicesField({
            name: "several",
            label: "Several",
            value: ["a"],
            groups: [
              {
                choices: [
                  { value: "a", label: "Chosen" },
                  { value: "b", label: "Not offered", disabled: true, why: "The reason stands below it." },
                ],
              },
            ],
          }),
        ],
        submit: "Send",
        guarded: false,
        send: () => {
          const body = { type: "FORBIDDEN", code: "NOT_PERMITTED", message: "an example of a refusal", decision_id: "dec-1", request_id: "r-1" };
          return Promise.reject(new ApiError(403, body, null));
        },
      }),
    ),
    card("Notices: states.js, errors.js", [
      h("div", { class: "stack" }, [
        notice("Something to know.", ""),
        notice("It worked.", "success"),
        notice("Mind this.", "warning"),
        errorNotice(new ApiError(409, { type: "CONFLICT", code: "SLUG_TAKEN", message: "the slug `acme` is taken", request_id: "r-2" }, null)),
      ]),
    ]),
    card("Tables and pairs: table.js", [
      table({
        caption: "An example",
        rows: [
          { name: "A name", at: new Date().toISOString() },
          { name: TRICKS, at: null },
        ],
        columns: [
          { title: "Name", cell: (row) => text(row.name) },
          { title: "When", cell: (row) => time(row.at) },
          { title: "Actions", actions: true, cell: () => button("Edit", { small: true }) },
        ],
      }),
      pairs([
        ["A name", "Its value"],
        ["An id", code("org-01m8katkdhee6v1e19vk7cmy5r")],
      ]),
    ]),
    card("Nothing to show: states.js", empty("Nothing here yet", "What would be here, and how it comes to be.", button("Create one"))),
    card("Text to copy: copy.js", copyable("A command", "charter request GET /organizations/info")),
    card("Dialogs and the status line: dialog.js, status.js", [
      h("div", { class: "row" }, [
        button("Open a dialog", { onclick: () => openDialog("A dialog", (close) => button("Close", { onclick: close })) }),
        button("Ask first", {
          onclick: () =>
            confirmDialog({
              title: "Really?",
              consequences: h("p", {}, "What happens then."),
              action: "Do it",
              typed: { label: "Type the name", text: "acme", hint: "It is acme" },
              run: async () => announce("Done."),
            }),
        }),
        button("Say something", { onclick: () => announce("Something has happened.") }),
      ]),
    ]),
  );
}

/** Every token, as the browser has read it. */
function tokens() {
  const names = [...document.styleSheets]
    .filter((sheet) => sheet.href?.endsWith("/shared/tokens.css"))
    .flatMap((sheet) => [...sheet.cssRules])
    .flatMap((rule) => (rule instanceof CSSStyleRule ? [...rule.style] : []))
    .filter((name) => name.startsWith("--"));
  const look = getComputedStyle(document.documentElement);
  return h(
    "ul",
    { class: "tokens" },
    names.map((name) => {
      const value = look.getPropertyValue(name).trim();
      return h("li", {}, sample(name, value), h("span", {}, code(name), h("span", { class: "small muted" }, value)));
    }),
  );
}

/**
 * @param {string} name
 * @param {string} value
 */
function sample(name, value) {
  const element = h("span", { class: "token-sample", "aria-hidden": "true" });
  const use = `var(${name})`;
  if (/^--(space|radius)/.test(name)) {
    element.classList.add("token-box");
    element.style.setProperty(name.startsWith("--space") ? "inline-size" : "border-radius", use);
  } else if (/^--(size|font|mono)/.test(name)) {
    element.textContent = "Ag";
    element.style.setProperty(name.startsWith("--size") ? "font-size" : "font-family", use);
  } else if (name.startsWith("--shadow")) {
    element.style.setProperty("box-shadow", use);
  } else if (CSS.supports("color", value)) {
    element.style.setProperty("background", use);
  }
  return element;
}
