/** Texts that tenants wrote: text everywhere, and what cannot be seen is made visible. */

import { h } from "./dom.js";

/** Controls (but tab and line end), and what shows as nothing: marks of direction, of no width, tags, fillers. */
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]/u;
/** They choose the look of the character before. */
const VARIATION = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
/** They join, or keep apart, what stands beside them. */
const JOINER = /[\u200c\u200d]/u;
/** Letters that are joined differently, and emoji. In Latin, Greek and Cyrillic a joiner changes nothing that is seen. */
const JOINED = /[\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}]/u;
const NEVER_JOINED = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]/u;

/**
 * Whether the character at this place cannot be seen, neither by itself nor by what it does to those beside it.
 *
 * @param {string[]} characters
 * @param {number} at
 */
function isHidden(characters, at) {
  const character = characters[at] ?? "";
  if (!INVISIBLE.test(character)) {
    return false;
  }
  const before = characters[at - 1] ?? "";
  if (VARIATION.test(character)) {
    return before.trim() === "" || INVISIBLE.test(before);
  }
  // A joiner stands behind the emoji's variation.
  const left = VARIATION.test(before) ? (characters[at - 2] ?? "") : before;
  const isJoined = (/** @type {string} */ beside) => JOINED.test(beside) && !NEVER_JOINED.test(beside) && !INVISIBLE.test(beside);
  return !(JOINER.test(character) && isJoined(left) && isJoined(characters[at + 1] ?? ""));
}

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
  return h("bdi", { class: "text" }, breaking(value, /(?<=@)/));
}

/**
 * With places to break a line at.
 *
 * @param {string} value
 * @param {RegExp} between
 */
function breaking(value, between) {
  return value.split(between).flatMap((part, at) => [at > 0 && h("wbr"), ...marked(part)]);
}

/**
 * @param {string} value
 * @returns {(string | HTMLElement)[]}
 */
function marked(value) {
  /** @type {(string | HTMLElement)[]} */
  const parts = [];
  let plain = "";
  const characters = [...value];
  for (const [at, character] of characters.entries()) {
    if (isHidden(characters, at)) {
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
  const characters = [...json];
  const escaped = (/** @type {string} */ character) =>
    character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  return characters.map((character, at) => (isHidden(characters, at) ? escaped(character) : character)).join("");
}

/**
 * Names in code, such as ids and permissions. They break where their parts meet.
 *
 * @param {string | null | undefined} value
 */
export function code(value) {
  if (!value) {
    return text(null);
  }
  return h("code", {}, h("bdi", { class: "text" }, breaking(value, /(?<=[_:./@])/)));
}

/**
 * `organizations:GetOrganization` as words: Get organization. `person.SignIn` and `operator.accounts:CreateAccount`
 * likewise.
 *
 * @param {string} permission
 */
export function permissionWords(permission) {
  const name = permission.replace(/^.*[:.]/, "");
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * Permissions to choose from, with the words for them.
 *
 * @param {string[]} names
 * @returns {[string, string][]}
 */
export function permissionSuggestions(names) {
  return names.map((name) => [name, permissionWords(name)]);
}
