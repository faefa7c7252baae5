/** What a change did: members before and after. */

import { empty } from "./states.js";
import { table } from "./table.js";
import { code, text } from "./text.js";

/** The version by which writes are told apart: it changes with each. */
const VERSION = "version";

/** @param {{before?: Record<string, any>, after?: Record<string, any>}} changes */
export function difference({ before = {}, after = {} }) {
  const rows = [...flat(before, after)].filter(({ name }) => name !== VERSION);
  if (rows.length === 0) {
    return empty("Nothing was changed");
  }
  return table({
    caption: "Changes",
    rows,
    columns: [
      { title: "Member", cell: (row) => code(row.name) },
      { title: "Before", cell: (row) => text(row.before, "absent") },
      { title: "After", cell: (row) => text(row.after, "absent") },
    ],
  });
}

/**
 * @param {Record<string, any>} before
 * @param {Record<string, any>} after
 * @param {string} [path]
 * @returns {Generator<{name: string, before?: string, after?: string}>}
 */
function* flat(before, after, path = "") {
  for (const member of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before[member], after[member]];
    const name = path + member;
    if (isObject(was) && isObject(is)) {
      yield* flat(was, is, `${name}.`);
    } else {
      yield { name, before: plain(was), after: plain(is) };
    }
  }
}

/** @param {any} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {any} value */
function plain(value) {
  return typeof value === "string" && value !== "" ? value : value === undefined ? undefined : JSON.stringify(value);
}
