/** Files that the page makes, and rows as CSV (RFC 4180). */

import { h } from "./dom.js";

/**
 * @param {string} name
 * @param {string} type
 * @param {string[]} parts
 */
export function download(name, type, parts) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  h("a", { href: url, download: name }).click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * One line. A spreadsheet must not take a tenant's text for a formula: such a cell begins with an apostrophe.
 *
 * @param {unknown[]} cells
 */
export function csvLine(cells) {
  return `${cells.map(cell).join(",")}\r\n`;
}

/** @param {unknown} value */
function cell(value) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const safe = /^[\s]*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
