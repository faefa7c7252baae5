/** The outline of a page: its heading, what it is for, its parts. */

import { h } from "./dom.js";

/**
 * @param {string} title
 * @param {import("./dom.js").Child} explanation
 * @param {...import("./dom.js").Child} parts
 */
export function page(title, explanation, ...parts) {
  return outline("page", title, null, explanation, parts);
}

/**
 * With a button beside the heading.
 *
 * @param {string} title
 * @param {import("./dom.js").Child} action
 * @param {import("./dom.js").Child} explanation
 * @param {...import("./dom.js").Child} parts
 */
export function pageWith(title, action, explanation, ...parts) {
  return outline("page", title, action, explanation, parts);
}

/**
 * For people who are not signed in: one form in a card.
 *
 * @param {string} title
 * @param {import("./dom.js").Child} explanation
 * @param {...import("./dom.js").Child} parts
 */
export function narrowPage(title, explanation, ...parts) {
  return outline("page page-narrow", title, null, explanation, [h("div", { class: "card stack" }, parts.flat())]);
}

/**
 * @param {string} look
 * @param {string} title
 * @param {import("./dom.js").Child} action
 * @param {import("./dom.js").Child} explanation
 * @param {import("./dom.js").Child[]} parts
 */
function outline(look, title, action, explanation, parts) {
  const heading = h("h1", { tabindex: "-1" }, title);
  return h(
    "div",
    { class: look },
    h(
      "header",
      {},
      action ? h("div", { class: "row row-apart" }, heading, action) : heading,
      explanation && h("p", { class: "muted" }, explanation),
    ),
    parts.flat(),
  );
}

/**
 * Puts the next page in the place of this one, and the focus on its heading.
 *
 * @param {HTMLElement} now
 * @param {HTMLElement} next
 */
export function turnInto(now, next) {
  now.replaceWith(next);
  next.querySelector("h1")?.focus();
}
