/** Tables. Where there is no room, each row is a card; the roles keep it a table for those who listen. */

import { h } from "./dom.js";

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: Row) => import("./dom.js").Child} cell
 * @property {boolean} [actions] the last column, with buttons
 */

/**
 * @template Row
 * @param {{caption: string, columns: Column<Row>[], rows: Row[]}} options
 */
export function table({ caption, columns, rows }) {
  const head = columns.map((column) =>
    h(
      "th",
      { scope: "col", role: "columnheader", class: column.actions && "actions" },
      column.actions ? h("span", { class: "visually-hidden" }, column.title) : column.title,
    ),
  );
  const body = rows.map((row) =>
    h(
      "tr",
      { role: "row" },
      columns.map((column) =>
        h(
          "td",
          { role: "cell", class: column.actions && "actions", "data-label": column.actions ? undefined : column.title },
          h("div", { class: column.actions ? "row" : undefined }, column.cell(row)),
        ),
      ),
    ),
  );
  return h(
    "table",
    { class: "table", role: "table" },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h("tbody", { role: "rowgroup" }, body),
  );
}

/**
 * Names and values.
 *
 * @param {[string, import("./dom.js").Child][]} entries
 */
export function pairs(entries) {
  return h(
    "dl",
    { class: "pairs" },
    entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}
