/** Tables. Where there is no room, each row is a card; the roles keep it a table for those who listen. */

import { button } from "./button.js";
import { h } from "./dom.js";

/** Rows that are shown at once: tables have no rows that cost nothing out of sight. */
const MOST_ROWS = 200;

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: Row) => import("./dom.js").Child} cell
 * @property {boolean} [actions] the last column, with buttons
 * @property {boolean} [number] its figures stand below each other
 */

/**
 * @template Row
 * @param {{caption: string, columns: Column<Row>[], rows: Row[], dense?: boolean, wide?: boolean}} options `wide`: it
 *   needs more room than its columns tell
 */
export function table({ caption, columns, rows, dense, wide }) {
  const look = (/** @type {Column<Row>} */ column) => (column.actions ? "actions" : column.number && "number");
  const head = columns.map((column) =>
    h(
      "th",
      { scope: "col", role: "columnheader", class: look(column) },
      column.actions ? h("span", { class: "visually-hidden" }, column.title) : column.title,
    ),
  );
  const line = (/** @type {Row} */ row) =>
    h(
      "tr",
      { role: "row" },
      columns.map((column) =>
        h(
          "td",
          { role: "cell", class: look(column), "data-label": column.actions ? undefined : column.title },
          h("div", { class: column.actions ? "row" : undefined }, column.cell(row)),
        ),
      ),
    );
  const body = h("tbody", { role: "rowgroup" }, rows.slice(0, MOST_ROWS).map(line));
  const element = h(
    "div",
    { class: `table-frame table-frame-${wide ? "wide" : columns.length}` },
    h(
      "table",
      { class: dense ? "table table-dense" : "table", role: "table" },
      h("caption", { class: "visually-hidden" }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
      body,
    ),
  );
  return rows.length > MOST_ROWS ? h("div", { class: "stack" }, element, more(rows, body, line)) : element;
}

/**
 * Shows the rest, some at a time.
 *
 * @template Row
 * @param {Row[]} rows
 * @param {HTMLElement} body
 * @param {(row: Row) => HTMLElement} line
 */
function more(rows, body, line) {
  const count = h("p", { class: "small muted", role: "status" });
  const tell = () => {
    const shown = body.childElementCount;
    count.textContent = `${shown} of ${rows.length} shown`;
    press.hidden = shown === rows.length;
  };
  const press = button("Show more", {
    small: true,
    onclick: () => {
      const shown = body.childElementCount;
      body.append(...rows.slice(shown, shown + MOST_ROWS).map(line));
      tell();
    },
  });
  tell();
  return h("div", { class: "row row-apart" }, count, press);
}

/**
 * Names and values; those that do not apply may be `false` or `null`.
 *
 * @param {([string, import("./dom.js").Child] | false | null)[]} entries
 */
export function pairs(entries) {
  return h(
    "dl",
    { class: "pairs" },
    entries.flatMap((entry) => (entry ? [h("dt", {}, entry[0]), h("dd", {}, entry[1])] : [])),
  );
}
