/** Buttons, links that look like buttons, badges. */

import { fill, h } from "./dom.js";

/**
 * @typedef {object} Look
 * @property {"primary" | "danger" | "plain"} [kind]
 * @property {boolean} [small]
 * @property {string} [label] the accessible name, where the text alone does not say which one is meant
 *
 * @param {Look} look
 */
function classes({ kind, small }) {
  return ["button", kind && `button-${kind}`, small && "button-small"].filter(Boolean).join(" ");
}

/**
 * @param {string} words
 * @param {Look & {onclick?: (event: MouseEvent) => void, type?: "button" | "submit"}} [options]
 */
export function button(words, { onclick, type = "button", label, ...look } = {}) {
  return h("button", { type, class: classes(look), "aria-label": label, onclick }, words);
}

/**
 * @param {string} words
 * @param {string} href
 * @param {Look} [look]
 */
export function linkButton(words, href, { label, ...look } = {}) {
  return h("a", { class: classes(look), href, "aria-label": label }, words);
}

/**
 * Runs something while the button says so; a second press does nothing meanwhile. The focus stays.
 *
 * @param {HTMLButtonElement} element
 * @param {string} words
 * @param {() => Promise<void>} run
 */
export async function busy(element, words, run) {
  if (element.getAttribute("aria-disabled") === "true") {
    return;
  }
  const before = element.textContent;
  element.setAttribute("aria-disabled", "true");
  fill(element, words);
  try {
    await run();
  } finally {
    element.removeAttribute("aria-disabled");
    fill(element, before);
  }
}

/**
 * @param {string} words
 * @param {"good" | "warning" | "bad"} [kind]
 */
export function badge(words, kind) {
  return h("span", { class: kind ? `badge badge-${kind}` : "badge" }, words);
}
