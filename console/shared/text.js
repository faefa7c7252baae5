/** Texts that tenants wrote: text everywhere, and what cannot be seen is made visible. */

import { h } from "./dom.js";

/** Controls (but tab and line end), marks of direction and characters of no width. */
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]/u;

/**
 * A text that keeps its own direction and cannot reorder what stands beside it.
 *
 * @param {string | null | undefined} value
 * @param {string} [otherwise] shown where there is no text
 * @returns {HTMLElement}
 */
export function text(value, otherwise = "–") {
  if (value === null || value === undefined || value === "") {
    return h("span", { class: "muted" }, otherwise);
  }
  return h("bdi", { class: "text" }, marked(value));
}

/**
 * @param {string} value
 * @returns {(string | HTMLElement)[]}
 */
function marked(value) {
  /** @type {(string | HTMLElement)[]} */
  const parts = [];
  let plain = "";
  for (const character of value) {
    if (INVISIBLE.test(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      parts.push(plain, h("span", { class: "mark" }, `U+${code}`));
      plain = "";
    } else {
      plain += character;
    }
  }
  return [...parts, plain];
}

/**
 * JSON to edit, in which what cannot be seen is escaped: the value is the same.
 *
 * @param {string} json
 */
export function escapedJson(json) {
  const every = new RegExp(INVISIBLE, "gu");
  return json.replace(every, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Names in code, such as ids and permissions.
 *
 * @param {string | null | undefined} value
 */
export function code(value) {
  return value ? h("code", {}, text(value)) : text(null);
}

/**
 * `organizations:GetOrganization` as words: Get organization. `person.SignIn` likewise.
 *
 * @param {string} permission
 */
export function permissionWords(permission) {
  const name = permission.slice(permission.search(/[:.]/) + 1);
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
