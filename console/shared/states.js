/** What a place shows while it loads, when there is nothing, and when it failed. */

import { button } from "./button.js";
import { fill, h } from "./dom.js";
import { ApiError, SignedOutError, errorNotice } from "./errors.js";
import { focusMark, refocus } from "./focus.js";

/**
 * @param {string} title
 * @param {string} [explanation]
 * @param {import("./dom.js").Child} [action]
 */
export function empty(title, explanation, action) {
  return h(
    "div",
    { class: "state" },
    h("p", {}, h("strong", {}, title)),
    explanation && h("p", {}, explanation),
    action,
  );
}

/** Said late, so that a quick answer does not flicker. */
export function loading() {
  const line = h("p", { class: "state", role: "status" });
  setTimeout(() => fill(line, "Loading…"), 300);
  return line;
}

/** @type {WeakMap<Element, Promise<void>>} when a section has loaded for the first time */
const firstLoads = new WeakMap();

/**
 * Resolves when the sections of a page have loaded, so that nothing moves when they come; or after that time.
 *
 * @param {Node} page
 * @param {number} ms
 */
export async function sectionsLoaded(page, ms) {
  const sections = page instanceof Element ? [...page.querySelectorAll(".section")] : [];
  const late = new Promise((resolve) => setTimeout(resolve, ms));
  await Promise.race([late, Promise.all(sections.map((section) => firstLoads.get(section)))]);
}

/**
 * A part of a page that loads by itself, and can be loaded again.
 *
 * @param {() => Promise<import("./dom.js").Child>} load
 * @returns {{element: HTMLElement, reload: () => Promise<void>}}
 */
export function section(load) {
  const element = h("div", { class: "section" }, loading());
  let turn = 0;
  async function reload() {
    turn += 1;
    const mine = turn;
    let content;
    try {
      content = await load();
    } catch (error) {
      if (error instanceof SignedOutError || (error instanceof DOMException && error.name === "AbortError")) {
        return;
      }
      const final = error instanceof ApiError && error.status < 500 && error.status !== 429;
      const again = h("div", {}, button("Try again", { onclick: reload }));
      content = h("div", { class: "stack" }, errorNotice(error), !final && again);
    }
    if (mine === turn) {
      const focus = element.contains(document.activeElement) ? focusMark() : null;
      fill(element, content);
      refocus(focus);
    }
  }
  firstLoads.set(element, reload());
  return { element, reload };
}

/**
 * @param {string} title
 * @param {import("./dom.js").Child} content
 * @param {{explanation?: import("./dom.js").Child, danger?: boolean, action?: import("./dom.js").Child}} [options]
 */
export function card(title, content, { explanation, danger, action } = {}) {
  return h(
    "section",
    { class: danger ? "card card-danger" : "card" },
    h(
      "header",
      {},
      h("div", { class: "row row-apart" }, h("h2", {}, title), action),
      explanation && h("p", { class: "muted" }, explanation),
    ),
    content,
  );
}

/**
 * @param {string} words
 * @param {"danger" | "warning" | "success" | ""} kind
 * @param {...import("./dom.js").Child} more
 */
export function notice(words, kind, ...more) {
  return h("div", { class: kind ? `notice notice-${kind}` : "notice" }, h("p", {}, words), more);
}
