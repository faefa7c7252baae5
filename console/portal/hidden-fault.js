/** What `JSON.parse` passes over in silence: a name that an object has twice, and a number that would become another. */

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\]:]/gs;

/**
 * @param {string} json that can be parsed
 * @returns {string | null} a sentence
 */
export function hiddenFault(json) {
  const tokens = json.match(TOKENS) ?? [];
  /** @type {Set<string>[]} names of the objects around, each with those before */
  const around = [];
  for (const [at, token] of tokens.entries()) {
    if (token === "{" || token === "[") {
      around.push(new Set());
    } else if (token === "}" || token === "]") {
      around.pop();
    } else if (token.startsWith('"') && tokens[at + 1] === ":") {
      const name = JSON.parse(token);
      if (around.at(-1)?.has(name)) {
        return `The name ${token} is repeated.`;
      }
      around.at(-1)?.add(name);
    } else if (/^[-\d]/.test(token)) {
      const kept = String(Number(token));
      if (digits(kept) !== digits(token)) {
        return kept.endsWith("Infinity") ? `The number ${token} is too large.` : `The number ${token} cannot be kept as it is; the nearest one is ${kept}.`;
      }
    }
  }
  return null;
}

/**
 * The digits that count: without sign, point, exponent, and zeros at the ends.
 *
 * @param {string} number
 */
function digits(number) {
  const [plain = ""] = number.toLowerCase().split("e");
  return plain.replace(/[-.]/g, "").replace(/^0+|0+$/g, "");
}
