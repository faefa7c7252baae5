/** Files that differ from those in force, with their lines before and after. */

import { badge } from "../shared/button.js";
import { h } from "../shared/dom.js";
import { empty } from "../shared/states.js";
import { text } from "../shared/text.js";
import { changedLines } from "./changed-lines.js";
import { sourceView } from "./source.js";

/**
 * @param {import("./places.js").File[]} before
 * @param {import("./places.js").File[]} changed
 */
export function changedFiles(before, changed) {
  if (changed.length === 0) {
    return empty("No file differs from those in force");
  }
  return h(
    "div",
    { class: "stack stack-large" },
    changed.map((file) => {
      const old = before.find((it) => it.name === file.name)?.text ?? null;
      const kind = file.removed ? badge("Removed", "bad") : old === null ? badge("New", "good") : badge("Changed", "warning");
      return h("div", { class: "stack" }, h("h3", { class: "row" }, text(file.name), kind), lines(file.name, old ?? "", file.removed ? "" : (file.text ?? "")));
    }),
  );
}

/**
 * @param {string} name
 * @param {string} before
 * @param {string} after
 */
function lines(name, before, after) {
  const parts = changedLines(before, after);
  return h(
    "div",
    { class: "stack" },
    parts.map((part) =>
      sourceView({
        label: `Change of ${name} at line ${part.first}`,
        source: part.lines.map((line) => line.text).join("\n"),
        first: part.first,
        marks: new Map(
          part.lines.flatMap((line, index) => (line.kind === "same" ? [] : [[part.first + index, { kind: line.kind }]])),
        ),
        numbers: part.lines.map((line) => line.number),
      }),
    ),
  );
}
