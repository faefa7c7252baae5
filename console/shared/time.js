/** Times in the reader's zone: how long ago, and the exact one on hover. */

import { h } from "./dom.js";
import { text } from "./text.js";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
/** In the language of the page, whatever the browser's is. */
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** @type {[Intl.RelativeTimeFormatUnit, number, number][]} each with its seconds, and from how many on it is used */
const UNITS = [
  ["year", 31_557_600, 63_115_200],
  ["month", 2_629_800, 5_184_000],
  ["day", 86_400, 86_400],
  ["hour", 3_600, 3_600],
  ["minute", 60, 60],
];

/**
 * @param {string | null | undefined} iso
 * @param {string} [otherwise] shown where there is no time
 * @returns {HTMLElement}
 */
export function time(iso, otherwise = "never") {
  const at = iso ? Date.parse(iso) : NaN;
  if (Number.isNaN(at)) {
    return text(null, otherwise);
  }
  return h("time", { datetime: String(iso), title: `${exact.format(at)} (${iso})` }, ago(at));
}

/**
 * The exact one, in words.
 *
 * @param {string | null | undefined} iso
 */
export function exactTime(iso) {
  const at = iso ? Date.parse(iso) : NaN;
  if (Number.isNaN(at)) {
    return text(null, "never");
  }
  return h("time", { datetime: String(iso), title: String(iso) }, exact.format(at));
}

/** @param {number} at milliseconds */
function ago(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  for (const [unit, length, from] of UNITS) {
    if (Math.abs(seconds) >= from) {
      return relative.format(Math.round(seconds / length), unit);
    }
  }
  return seconds > 0 ? "in a moment" : "just now";
}

/** Keeps all times on the page fresh. */
export function keepTimes() {
  setInterval(() => {
    for (const element of document.querySelectorAll("time[title]")) {
      const at = Date.parse(element.getAttribute("datetime") ?? "");
      if (element.getAttribute("title")?.includes("(")) {
        element.textContent = ago(at);
      }
    }
  }, 30_000);
}
