/** A request that a proof or a comparison made up: who, what, on which object, and what these are. */

import { h } from "../shared/dom.js";
import { pairs, table } from "../shared/table.js";
import { code, text } from "../shared/text.js";

/**
 * @typedef {object} Counterexample
 * @property {string} principal
 * @property {string} action
 * @property {string} resource
 * @property {[string, string][]} context
 * @property {{uid: string, parents: string[], attributes: [string, string][]}[]} things
 */

/** @param {Counterexample} example */
export function counterexample({ principal, action, resource, context, things }) {
  return h(
    "div",
    { class: "stack" },
    pairs([
      ["Who", code(principal)],
      ["What", code(action.replace(/^Action::"(.*)"$/, "$1"))],
      ["On", code(resource)],
      ...context.map(([name, value]) => /** @type {[string, Node]} */ ([`context.${name}`, code(value)])),
    ]),
    things.length > 0 &&
      table({
        caption: "What these are",
        rows: things,
        columns: [
          { title: "Object", cell: (thing) => code(thing.uid) },
          { title: "Is in", cell: (thing) => list(thing.parents) },
          { title: "Attributes", cell: (thing) => list(thing.attributes.map(([name, value]) => `${name}: ${value}`)) },
        ],
      }),
  );
}

/** @param {string[]} items */
export function list(items) {
  return items.length === 0 ? text(null) : h("ul", { class: "bare" }, items.map((item) => h("li", {}, code(item))));
}
