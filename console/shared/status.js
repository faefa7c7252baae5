/** The status line: what has just happened, seen and read aloud. */

import { button } from "./button.js";
import { fill, h } from "./dom.js";

const SHOWN_MS = 6_000;

/** @type {HTMLElement[]} live regions; the last one is that of the topmost dialog, outside of which nothing is heard */
const regions = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let shown = "";

/**
 * @param {HTMLElement} region a live region
 * @returns {() => void} takes it away; what it says is said in the one before
 */
export function statusIn(region) {
  regions.push(region);
  return () => {
    regions.splice(regions.indexOf(region), 1);
    if (region.childElementCount > 0) {
      announce(shown);
    }
  };
}

/** @param {string} message */
export function announce(message) {
  const region = regions.at(-1);
  if (!region) {
    return;
  }
  clearTimeout(timer);
  shown = message;
  const dismiss = button("Dismiss", { small: true, onclick: () => fill(region) });
  fill(region, h("div", { class: "message" }, h("span", {}, message), dismiss));
  timer = setTimeout(() => fill(region), SHOWN_MS);
}
