/** Text to copy, and secrets that are shown once. */

import { button } from "./button.js";
import { fill, h } from "./dom.js";
import { announce } from "./status.js";

const COPIED_MS = 4_000;

/**
 * A value with a button that copies it.
 *
 * @param {string} label
 * @param {string} value
 */
export function copyable(label, value) {
  const look = value.includes(" ") ? "value" : "value value-wrapped";
  const shown = h("pre", { class: look, tabindex: "0", "aria-label": label }, h("code", {}, value));
  const press = button("Copy", {
    small: true,
    label: `Copy: ${label}`,
    onclick: async () => {
      if (await copied(value)) {
        announce(`Copied: ${label}.`);
        name("Copied");
        setTimeout(() => name("Copy"), COPIED_MS);
      } else {
        select(shown);
        announce("The browser did not let it be copied; it is selected, copy it yourself.");
      }
    },
  });
  const name = (/** @type {string} */ words) => {
    press.setAttribute("aria-label", `${words}: ${label}`);
    fill(press, words);
  };
  return h(
    "div",
    { class: "copy" },
    h("div", { class: "row row-apart" }, h("p", { class: "small muted" }, label), press),
    shown,
  );
}

/** @param {string} value */
async function copied(value) {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    return false;
  }
}

/** @param {HTMLElement} element */
function select(element) {
  getSelection()?.selectAllChildren(element);
}
