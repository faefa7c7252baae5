/** Long lists that are read with a cursor: more when the end comes into sight, and what is out of sight costs nothing. */

import { busy, button } from "./button.js";
import { fill, h } from "./dom.js";
import { errorNotice } from "./errors.js";
import { empty, section } from "./states.js";

/** Items that are laid out together when they come into sight. */
const CHUNK = 50;

/**
 * Lists of a few items each: the browser passes over those that are out of sight.
 *
 * @param {{class: string, label: string, items: HTMLElement[]}} options
 */
export function chunks({ class: name, label, items }) {
  const lists = [];
  for (let at = 0; at < items.length; at += CHUNK) {
    const some = items.slice(at, at + CHUNK);
    const list = h("ol", { class: `${name} chunked`, "aria-label": label }, some);
    list.style.setProperty("--items", String(some.length));
    lists.push(list);
  }
  return lists;
}

/**
 * @template Item
 * @param {object} options
 * @param {string} options.label
 * @param {(cursor: string | null) => Promise<{results: Item[], next_cursor: string | null}>} options.read
 * @param {(item: Item) => {summary: import("./dom.js").Child, details: () => import("./dom.js").Child}} options.show
 *   `details` is asked for when the item is opened
 * @param {string} options.nothing
 * @param {string} [options.hint] what would be there
 */
export function feed({ label, read, show, nothing, hint }) {
  return section(async () => {
    const first = await readSome(read, null);
    if (first.results.length === 0 && !first.next_cursor) {
      return empty(nothing, hint);
    }
    const lists = h("div");
    const failed = h("div");
    let cursor = first.next_cursor;
    const more = button("Show more", { onclick: () => busy(more, "Loading…", next) });
    whenSeen(more, () => more.click());
    const add = (/** @type {Item[]} */ items) =>
      lists.append(...chunks({ class: "feed", label, items: items.map((item) => entry(show(item))) }));
    async function next() {
      fill(failed);
      try {
        const page = await readSome(read, cursor);
        add(page.results);
        cursor = page.next_cursor;
        more.hidden = !cursor;
      } catch (error) {
        fill(failed, errorNotice(error));
      }
    }
    add(first.results);
    more.hidden = !cursor;
    return h("div", { class: "stack" }, lists, failed, h("div", { class: "row" }, more));
  }).element;
}

/**
 * @param {HTMLElement} element
 * @param {() => void} run each time that it comes into sight
 */
export function whenSeen(element, run) {
  new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && run()).observe(element);
}

/**
 * The service looks through a bounded part of its records for each page, so that a page may be empty before the end.
 *
 * @template Item
 * @param {(cursor: string | null) => Promise<{results: Item[], next_cursor: string | null}>} read
 * @param {string | null} cursor
 */
async function readSome(read, cursor) {
  let page = await read(cursor);
  while (page.results.length === 0 && page.next_cursor) {
    page = await read(page.next_cursor);
  }
  return page;
}

/** @param {{summary: import("./dom.js").Child, details: () => import("./dom.js").Child}} item */
function entry({ summary, details }) {
  const inside = h("div", { class: "inside" });
  const element = h("details", {}, h("summary", {}, summary), inside);
  element.addEventListener("toggle", () => fill(inside, element.open && details()));
  return h("li", {}, element);
}
