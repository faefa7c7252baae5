/** Filters of a list, kept in the address so that they can be shared and gone back to. */

import { button } from "./button.js";
import { h, newId } from "./dom.js";

/**
 * @typedef {[string, string]} Suggestion a value, and the words for it
 *
 * @typedef {{name: string, label: string, type?: "text" | "date", options?: [string, string][],
 *   suggestions?: Suggestion[] | Promise<Suggestion[]>}} Filter either may be typed of what is suggested
 */

/**
 * @param {Pick<import("./router.js").Visit, "query"> & {router: import("./router.js").Router<any>}} context
 * @param {Filter[]} filters
 */
export function filterForm({ query, router }, filters) {
  const controls = filters.map((filter) => one(filter, query.get(filter.name) ?? ""));
  const element = h("form", {
    class: "filters",
    role: "search",
    "aria-label": "Filter",
    onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const given = controls.map((control) => [control.name, control.read()]).filter(([, value]) => value !== "");
      router.go(given.length === 0 ? location.pathname : `${location.pathname}?${new URLSearchParams(given)}`);
    },
  });
  element.append(
    ...controls.map((control) => control.element),
    h(
      "div",
      { class: "row" },
      button("Filter", { type: "submit" }),
      filters.some(({ name }) => query.get(name)) && button("Show all", { kind: "plain", onclick: () => router.go(location.pathname) }),
    ),
  );
  return element;
}

/**
 * @param {Filter} filter
 * @param {string} value
 * @returns {{name: string, element: HTMLElement, read: () => string}}
 */
function one({ name, label, type = "text", options, suggestions }, value) {
  const id = newId();
  if (options) {
    const select = h("select", { id, name, class: "input" });
    select.append(...options.map(([given, words]) => h("option", { value: given }, words)));
    select.value = value;
    return { name, element: field(id, label, select), read: () => select.value };
  }
  const list = h("datalist", { id: `${id}-list` });
  const input = h("input", { id, name, class: "input", type, value, list: suggestions && list.id, autocomplete: "off" });
  /** @type {Map<string, string>} values by words; words that several have are left out */
  let values = new Map();
  Promise.resolve(suggestions ?? []).then((known) => {
    const words = known.map(([, each]) => each);
    const unique = known.filter(([, each]) => words.indexOf(each) === words.lastIndexOf(each));
    values = new Map(unique.map(([given, each]) => [each.toLowerCase(), given]));
    const named = new Map(unique);
    list.append(...known.map(([given]) => h("option", { value: named.get(given) ?? given }, given)));
    if (input.value === value) {
      input.value = named.get(value) ?? value;
    }
  });
  const read = () => {
    const given = input.value.trim();
    return values.get(given.toLowerCase()) ?? given;
  };
  return { name, element: field(id, label, input, suggestions && list), read };
}

/**
 * @param {string} id
 * @param {string} label
 * @param {...import("./dom.js").Child} control
 */
function field(id, label, ...control) {
  return h("div", { class: "field" }, h("label", { for: id }, label), control);
}

/**
 * The filters as the API takes them: a day is that day in the reader's zone.
 *
 * @param {URLSearchParams} query
 * @param {string[]} names
 */
export function filterQuery(query, names) {
  /** @type {Record<string, string>} */
  const given = {};
  for (const name of names) {
    const value = query.get(name)?.trim();
    if (value && (name === "since" || name === "until")) {
      const day = new Date(`${value}T00:00:00`);
      day.setDate(day.getDate() + (name === "until" ? 1 : 0));
      given[name] = Number.isNaN(day.getTime()) ? value : `${day.toISOString().slice(0, 19)}Z`;
    } else if (value) {
      given[name] = value;
    }
  }
  return given;
}
