/** A file with line numbers, colours, and marks on its lines. What is out of sight is not laid out. */

import { h } from "../shared/dom.js";
import { text } from "../shared/text.js";
import { highlight } from "./highlight.js";

const CHUNK = 100;
const LINE_REM = 1.35;

/**
 * @typedef {object} Mark
 * @property {"bad" | "warning" | "good" | "here" | "added" | "removed"} kind
 * @property {string} [note] said beside the line
 *
 * @param {object} options
 * @param {string} options.label
 * @param {string} options.source
 * @param {number} [options.first] the number of the first line
 * @param {number} [options.arrive] the line that the page scrolls to
 * @param {Map<number, Mark>} [options.marks] by line number, counted from the first
 * @param {number[]} [options.numbers] shown in the place of those counted
 */
export function sourceView({ label, source, first = 1, arrive, marks = new Map(), numbers = [] }) {
  const lines = highlight(source.replace(/\n$/, ""));
  const digits = String(first + lines.length).length;
  const rows = lines.map((tokens, index) => {
    const number = first + index;
    const mark = marks.get(number);
    return h(
      "div",
      { class: mark ? `line line-${mark.kind}` : "line", "data-arrive": number === arrive },
      h("span", { class: "number", "aria-hidden": "true" }, String(numbers[index] ?? number).padStart(digits)),
      h(
        "span",
        { class: "content" },
        tokens.map((token) => h("span", { class: `token-${token.kind}` }, shown(token))),
        tokens.length === 0 && "\u00a0",
      ),
      mark?.note && h("span", { class: "note" }, mark.note),
    );
  });
  const chunks = [];
  for (let at = 0; at < rows.length; at += CHUNK) {
    const part = rows.slice(at, at + CHUNK);
    const chunk = h("div", { class: "chunk" }, part);
    chunk.style.containIntrinsicBlockSize = `auto ${part.length * LINE_REM}rem`;
    chunks.push(chunk);
  }
  return h("div", { class: "source", tabindex: "0", role: "group", "aria-label": label }, chunks);
}

/**
 * What could hide in a text is made visible.
 *
 * @param {import("./highlight.js").Token} token
 */
function shown(token) {
  return token.kind === "comment" || token.kind === "string" || /[^\x20-\x7e]/.test(token.text)
    ? text(token.text)
    : token.text;
}

/**
 * The lines of one policy: from its annotations to its semicolon.
 *
 * @param {string} source
 * @param {number} line where it begins
 * @returns {{first: number, source: string}}
 */
export function policyAt(source, line) {
  const lines = highlight(source);
  const raw = source.split("\n");
  let last = line;
  while (last < lines.length && !ends(lines[last - 1] ?? [])) {
    last += 1;
  }
  return { first: line, source: raw.slice(line - 1, last).join("\n") };
}

/** @param {import("./highlight.js").Token[]} tokens */
function ends(tokens) {
  return tokens.some((token) => token.kind === "other" && token.text.includes(";"));
}
