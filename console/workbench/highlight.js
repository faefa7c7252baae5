/** The words of Cedar's policies and schemas, and of JSON, by kind. It colours; it checks nothing. */

/** @typedef {{kind: string, text: string}} Token */

const KEYWORDS = new Set(
  "permit forbid when unless if then else in has like is true false null namespace entity action type enum tags appliesTo".split(
    " ",
  ),
);
const VARIABLES = new Set(["principal", "action", "resource", "context"]);

const PARTS = [
  ["comment", String.raw`\/\/[^\n]*`],
  ["string", String.raw`"(?:\\.|[^"\\])*"?`],
  ["annotation", String.raw`@[A-Za-z_]\w*`],
  ["entity", String.raw`[A-Za-z_]\w*(?=::)`],
  ["word", String.raw`[A-Za-z_]\w*`],
  ["number", String.raw`\d+`],
  ["other", String.raw`[^"@\w/]+|[^]`],
];
const TOKEN = new RegExp(PARTS.map(([kind, pattern]) => `(?<${kind}>${pattern})`).join("|"), "gu");

/**
 * The tokens of each line.
 *
 * @param {string} source
 * @returns {Token[][]}
 */
export function highlight(source) {
  /** @type {Token[]} */
  let line = [];
  const lines = [line];
  for (const { kind, text } of tokens(source)) {
    for (const [index, part] of text.split("\n").entries()) {
      if (index > 0) {
        line = [];
        lines.push(line);
      }
      if (part !== "") {
        line.push({ kind, text: part });
      }
    }
  }
  return lines;
}

/**
 * @param {string} source
 * @returns {Generator<Token>}
 */
function* tokens(source) {
  for (const { groups = {}, 0: text } of source.matchAll(TOKEN)) {
    const kind = PARTS.find(([name]) => groups[name ?? ""] !== undefined)?.[0] ?? "other";
    yield { kind: kind === "word" ? word(text) : kind, text };
  }
}

/** @param {string} text */
function word(text) {
  if (VARIABLES.has(text)) {
    return "variable";
  }
  return KEYWORDS.has(text) ? "keyword" : "other";
}
