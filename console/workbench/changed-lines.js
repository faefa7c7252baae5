/** Which lines of a text were added and removed, with a few around them. */

const AROUND = 3;
/** Beyond this many differing lines, the old ones stand before the new ones. */
const MOST = 1_500;

/**
 * @typedef {{kind: "same" | "added" | "removed", text: string, number: number}} Line `number`: in the text it is of
 *
 * @param {string} before
 * @param {string} after
 * @returns {{first: number, lines: Line[]}[]}
 */
export function changedLines(before, after) {
  const [old, now] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) {
    start += 1;
  }
  let end = 0;
  while (end < old.length - start && end < now.length - start && old[old.length - 1 - end] === now[now.length - 1 - end]) {
    end += 1;
  }
  /** @type {Line[]} */
  const lines = [
    ...now.slice(0, start).map((text, index) => line("same", text, index + 1)),
    ...middle(old.slice(start, old.length - end), now.slice(start, now.length - end), start),
    ...now.slice(now.length - end).map((text, index) => line("same", text, now.length - end + index + 1)),
  ];
  return parts(lines);
}

/**
 * By the longest common subsequence.
 *
 * @param {string[]} old
 * @param {string[]} now
 * @param {number} start
 * @returns {Line[]}
 */
function middle(old, now, start) {
  const removed = (/** @type {number} */ at) => line("removed", old[at] ?? "", start + at + 1);
  const added = (/** @type {number} */ at) => line("added", now[at] ?? "", start + at + 1);
  if (old.length + now.length > MOST) {
    return [...old.keys()].map(removed).concat([...now.keys()].map(added));
  }
  const width = now.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  const at = (/** @type {number} */ i, /** @type {number} */ j) => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  /** @type {Line[]} */
  const lines = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push(line("same", now[j] ?? "", start + j + 1));
      i += 1;
      j += 1;
    } else if (j >= now.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push(removed(i));
      i += 1;
    } else {
      lines.push(added(j));
      j += 1;
    }
  }
  return lines;
}

/**
 * @param {Line["kind"]} kind
 * @param {string} text
 * @param {number} number
 * @returns {Line}
 */
function line(kind, text, number) {
  return { kind, text, number };
}

/**
 * The changed lines with those around them.
 *
 * @param {Line[]} lines
 */
function parts(lines) {
  /** @type {{first: number, lines: Line[]}[]} */
  const found = [];
  let last = -Infinity;
  for (const [index, { kind }] of lines.entries()) {
    if (kind === "same") {
      continue;
    }
    const from = Math.max(0, index - AROUND);
    const part = found.at(-1);
    if (part && from <= last + 1) {
      part.lines.push(...lines.slice(last + 1, index + AROUND + 1));
    } else {
      const shown = lines.slice(from, index + AROUND + 1);
      found.push({ first: shown[0]?.number ?? 1, lines: shown });
    }
    last = Math.min(lines.length - 1, index + AROUND);
  }
  return found;
}
