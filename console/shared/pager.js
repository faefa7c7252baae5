/** Steps through the pages of a list; which one it is stands in the address. */

import { button } from "./button.js";
import { h } from "./dom.js";

/**
 * The page that the address names.
 *
 * @param {URLSearchParams} query
 */
export function pageOf(query) {
  const page = Number(query.get("page"));
  return Number.isSafeInteger(page) && page > 0 ? page : 1;
}

/**
 * @param {{total: number, page: number, quantity: number, what: string, go: (page: number) => void}} options
 */
export function pager({ total, page, quantity, what, go }) {
  const last = Math.max(1, Math.ceil(total / quantity));
  if (last === 1 && page === 1) {
    return null;
  }
  const step = (/** @type {string} */ words, /** @type {number} */ to) =>
    to >= 1 && to <= last && button(words, { small: true, onclick: () => go(to) });
  return h(
    "nav",
    { class: "row row-apart pager", "aria-label": `Pages of ${what}` },
    h("p", { class: "small muted" }, `Page ${page} of ${last}, ${total} in all`),
    h("div", { class: "row" }, step("Previous", page - 1), step("Next", page + 1)),
  );
}
