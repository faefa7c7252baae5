/** The status line: what has just happened, seen and read aloud. */

import { button } from "./button.js";
import { fill, h } from "./dom.js";

const SHOWN_MS = 10_000;

/** @type {HTMLElement | null} */
let region = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {HTMLElement} element a live region */
export function statusIn(element) {
  region = element;
}

/** @param {string} message */
export function announce(message) {
  if (region === null) {
    return;
  }
  clearTimeout(timer);
  const line = region;
  const dismiss = button("Dismiss", { small: true, onclick: () => fill(line) });
  fill(line, h("div", { class: "message" }, h("span", {}, message), dismiss));
  timer = setTimeout(() => fill(line), SHOWN_MS);
}
