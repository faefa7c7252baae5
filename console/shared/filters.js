/** Filters of a list, kept in the address so that they can be shared and gone back to. */

import { button } from "./button.js";
import { h, newId } from "./dom.js";

/**
 * @typedef {{name: string, label: string, type?: "text" | "date", options?: [string, string][],
 *   suggestions?: [string, string][]}} Filter `suggestions` are values with their names
 */

/**
 * @param {Pick<import("./router.js").Visit, "query"> & {router: import("./router.js").Router<any>}} context
 * @param {Filter[]} filters
 */
export function filterForm({ query, router }, filters) {
  const element = h("form", {
    role: "search",
    onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const given = [...new FormData(element)].filter(([, value]) => value !== "");
      const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
      router.go(given.length === 0 ? location.pathname : `${location.pathname}?${search}`);
    },
  });
  element.append(
    h(
      "div",
      { class: "filters" },
      filters.map((filter) => one(filter, query.get(filter.name) ?? "")),
    ),
    h(
      "div",
      { class: "row" },
      button("Filter", { type: "submit" }),
      [...query].length > 0 && button("Show all", { kind: "plain", onclick: () => router.go(location.pathname) }),
    ),
  );
  return element;
}

/**
 * @param {Filter} filter
 * @param {string} value
 */
function one({ name, label, type = "text", options, suggestions = [] }, value) {
  const id = newId();
  let control;
  if (options) {
    control = h("select", { id, name, class: "input" });
    control.append(...options.map(([given, words]) => h("option", { value: given }, words)));
    control.value = value;
  } else {
    const list = suggestions.length > 0 ? `${id}-list` : undefined;
    control = h("input", { id, name, class: "input", type, value, list, autocomplete: "off" });
  }
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    control,
    suggestions.length > 0 &&
      h("datalist", { id: `${id}-list` }, suggestions.map(([given, words]) => h("option", { value: given }, words))),
  );
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
