/** What each role may do: permissions down, roles across. */

import { h } from "../shared/dom.js";
import { code, text } from "../shared/text.js";

/**
 * @typedef {{holder: string, role: string, is: string}} Cell
 * @typedef {{permission: string, about: string, roles: Cell[]}} Row
 */

/** @type {Record<string, [string, string]>} */
const CELLS = {
  may: ["✔", "may"],
  "may-not": ["–", "may not"],
  gained: ["+", "gains it"],
  lost: ["−", "loses it"],
};

/** Whether a row says that something changes. */
const isChanged = (/** @type {Row} */ row) => row.roles.some((cell) => cell.is === "gained" || cell.is === "lost");

/**
 * The rows of roles that gain or lose something.
 *
 * @param {Row[]} rows
 */
export function changedRoles(rows) {
  return rows.filter(isChanged);
}

/** @param {Row[]} rows */
export function roleMatrix(rows) {
  const columns = [...new Map(rows.flatMap((row) => row.roles.map((cell) => [`${cell.holder}/${cell.role}`, cell]))).values()];
  columns.sort((one, other) => one.holder.localeCompare(other.holder) || one.role.localeCompare(other.role));
  const holders = [...new Set(columns.map((column) => column.holder))];
  return h(
    "div",
    { class: "matrix", tabindex: "0", role: "group", "aria-label": "Roles and permissions" },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, "What each role may do"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td", {}),
          h("td", { class: "about" }),
          holders.map((holder) => h("th", { scope: "colgroup", colspan: columns.filter((column) => column.holder === holder).length }, text(holder))),
        ),
        h("tr", {}, h("th", { scope: "col" }, "Permission"), h("th", { scope: "col", class: "about" }, "On"), columns.map((column) => h("th", { scope: "col" }, text(column.role)))),
      ),
      h("tbody", {}, rows.map((row) => line(row, columns))),
    ),
  );
}

/**
 * `Permission::"x"` and `Role::"x"` by their names: the column stands under the permission that is about them.
 *
 * @param {string} entity
 */
function about(entity) {
  return entity.replace(/^(?:Permission|Role)::"(.*)"$/, "$1");
}

/**
 * @param {Row} row
 * @param {Cell[]} columns
 */
function line(row, columns) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, code(row.permission), h("div", { class: "narrow-about", "aria-hidden": "true" }, text(about(row.about)))),
    h("td", { class: "about" }, text(about(row.about))),
    columns.map((column) => {
      const found = row.roles.find((cell) => cell.holder === column.holder && cell.role === column.role);
      const [mark, words] = CELLS[found?.is ?? ""] ?? ["", "cannot be asked"];
      return h("td", { class: `cell cell-${found?.is ?? "none"}`, title: words }, h("span", { "aria-hidden": "true" }, mark), h("span", { class: "visually-hidden" }, words));
    }),
  );
}
