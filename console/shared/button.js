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

/** The second click of a double one, at what came under the pointer after the first, is not meant for it. */
const DOUBLE_CLICK_MS = 500;

/**
 * A press while what the one before began is still going on does nothing.
 *
 * @param {string} words
 * @param {Look & {onclick?: (event: MouseEvent) => unknown, type?: "button" | "submit"}} [options]
 */
export function button(words, { onclick, type = "button", label, ...look } = {}) {
  const made = performance.now();
  let isRunning = false;
  const press = async (/** @type {MouseEvent} */ event) => {
    const isStray = event.detail > 1 && performance.now() - made < DOUBLE_CLICK_MS;
    if (isRunning || isStray) {
      return;
    }
    isRunning = true;
    try {
      await onclick?.(event);
    } finally {
      isRunning = false;
    }
  };
  return h("button", { type, class: classes(look), "aria-label": label, onclick: onclick && press }, words);
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
