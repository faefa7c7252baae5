/** Why policies decide as they do: which decided, which came nearest, and the condition that was false, in the source. */

import { h } from "../shared/dom.js";
import { ApiError } from "../shared/errors.js";
import { notice } from "../shared/states.js";
import { pairs, table } from "../shared/table.js";
import { code, text } from "../shared/text.js";
import { list } from "./counterexample.js";
import { placeLink } from "./places.js";
import { policyAt, sourceView } from "./source.js";

/**
 * @typedef {{of: string, text: string, line: number | null, value: string,
 *   looked_at: {expression: string, value: string, is_in?: string[]}[]}} Condition
 * @typedef {{policy: string, file: string, line: number, away?: number, failed?: Condition[],
 *   conditions?: Condition[]}} Reason
 * @typedef {{uid: string, attributes: Record<string, string>, is_in: string[]}} Party
 * @typedef {{sources: Map<string, string> | null, domain: string | null, isInForce: boolean}} Asked the policies that
 *   were asked, with their texts by file; null if these are not known
 * @typedef {{ruling: string, unaskable?: string, code: string | null, message: string | null, principal: Party, action: Party,
 *   resource: Party, context: Record<string, string>, determining: Reason[], nearest: Reason[], errors: any[]}} Explanation
 */

const MOST_PARENTS = 3;

/** @type {Record<string, string>} */
const RULINGS = {
  allowed: "Allowed",
  forbidden: "A policy forbids it",
  not_permitted: "No policy permits it",
};

/**
 * @param {Explanation} explanation
 * @param {Asked} asked
 */
export function explained(explanation, asked) {
  const { ruling, unaskable, message, determining, nearest, errors } = explanation;
  return h(
    "div",
    { class: "stack" },
    h("h3", {}, unaskable ? "The schema does not allow this question" : (RULINGS[ruling] ?? text(ruling))),
    unaskable && h("p", {}, text(unaskable)),
    message && h("p", {}, text(message)),
    determining.map((reason) => decided(reason, ruling, asked)),
    errors.length > 0 && [
      notice("Policies could not be evaluated:", "danger", errors.map((each) => h("p", {}, text(typeof each === "string" ? each : JSON.stringify(each))))),
    ],
    nearest.length > 0 && [
      h("h3", {}, nearest.length === 1 ? "The nearest permit" : "The nearest permits"),
      nearest.map((reason) => near(reason, asked)),
    ],
    h("details", {}, h("summary", {}, "What the policies saw"), seen(explanation)),
  );
}

/**
 * @param {Reason} reason
 * @param {string} ruling
 * @param {Asked} asked
 */
function decided(reason, ruling, asked) {
  const kind = ruling === "allowed" ? "good" : "bad";
  const held = reason.conditions ?? [];
  return h(
    "div",
    { class: "stack" },
    h("p", { class: "row" }, code(reason.policy), place(reason, asked)),
    marked(reason, held, kind, asked.sources),
    held.length > 0 && conditions(held, "Conditions by which it applies"),
  );
}

/**
 * @param {Reason} reason
 * @param {Asked} asked
 */
function near(reason, asked) {
  const failed = reason.failed ?? [];
  const away = reason.away === 1 ? "one condition away" : `${reason.away} conditions away`;
  return h(
    "div",
    { class: "stack near" },
    h("p", { class: "row" }, code(reason.policy), place(reason, asked), h("span", { class: "muted small" }, away)),
    marked(reason, failed, "bad", asked.sources),
    conditions(failed, "Conditions by which it does not apply"),
  );
}

/**
 * Where a policy stands; a link, if it stands there in the policies in force.
 *
 * @param {Reason} reason
 * @param {Asked} asked
 */
function place({ file, line }, { domain, isInForce }) {
  return isInForce ? placeLink(file, line, domain) : h("span", { class: "mono" }, text(file && `${file}:${line}`));
}

/**
 * The policy with its conditions marked.
 *
 * @param {Reason} reason
 * @param {Condition[]} conditions
 * @param {"good" | "bad"} kind
 * @param {Map<string, string> | null} sources
 */
function marked({ policy, file, line }, conditions, kind, sources) {
  const source = sources?.get(file);
  if (!source || !line) {
    return null;
  }
  const part = policyAt(source, line);
  /** @type {Map<number, import("./source.js").Mark>} */
  const marks = new Map();
  for (const condition of conditions) {
    for (const [index, number] of linesOf(condition, part).entries()) {
      marks.set(number, { kind, note: index === 0 ? `is ${condition.value}` : undefined });
    }
  }
  return sourceView({ label: `Policy ${policy}`, source: part.source, first: part.first, marks });
}

/**
 * The lines on which a condition stands; its text comes formatted anew.
 *
 * @param {Condition} condition
 * @param {{first: number, source: string}} part
 */
function linesOf({ text: wanted, line }, { first, source }) {
  if (!line) {
    return [];
  }
  const plain = (/** @type {string} */ value) => value.replace(/\s|,(?=\s*[\])])/g, "");
  const lines = source.split("\n").slice(line - first);
  let collected = "";
  for (const [index, each] of lines.entries()) {
    collected += plain(each);
    if (collected.includes(plain(wanted))) {
      return Array.from({ length: index + 1 }, (_, at) => line + at);
    }
  }
  return [line];
}

/**
 * @param {Condition[]} rows
 * @param {string} caption
 */
function conditions(rows, caption) {
  const shown = table({
    caption,
    rows,
    columns: [
      { title: "Condition", cell: (row) => code(row.text) },
      { title: "Is", cell: (row) => h("span", { class: "short" }, code(row.value)) },
      {
        title: "Because",
        cell: (row) =>
          h(
            "ul",
            { class: "bare" },
            row.looked_at.map((each) =>
              h(
                "li",
                {},
                code(each.expression),
                " is ",
                code(each.value),
                each.is_in && each.is_in.length > 0 && parents(each.is_in),
              ),
            ),
          ),
      },
    ],
  });
  shown.classList.add("conditions");
  return shown;
}

/**
 * What an entity is in; many are shown when they are asked for.
 *
 * @param {string[]} is
 */
function parents(is) {
  const all = is.map((it, index) => [index > 0 && ", ", code(it)]);
  return is.length <= MOST_PARENTS ? [", in ", all] : h("details", {}, h("summary", { class: "small" }, "What it is in"), all);
}

/** @param {Explanation} explanation */
function seen({ principal, action, resource, context }) {
  return h(
    "div",
    { class: "stack" },
    table({
      caption: "Who, what and on which object",
      rows: [
        { of: "Principal", ...principal },
        { of: "Action", ...action },
        { of: "Resource", ...resource },
      ],
      columns: [
        { title: "Of the request", cell: (row) => row.of },
        { title: "Entity", cell: (row) => code(row.uid) },
        { title: "Is in", cell: (row) => list(row.is_in) },
        { title: "Attributes", cell: (row) => list(Object.entries(row.attributes).map(([name, value]) => `${name}: ${value}`)) },
      ],
    }),
    pairs(Object.entries(context).map(([name, value]) => [`context.${name}`, code(value)])),
  );
}

/**
 * The policies with that digest: those in force, or earlier ones.
 *
 * @param {import("./api.js").Api} api
 * @param {string | null} domain
 * @param {string} policyDigest
 * @param {AbortSignal} signal
 * @returns {Promise<Asked>}
 */
export async function policiesOf(api, domain, policyDigest, signal) {
  const query = { domain };
  const unknown = (/** @type {unknown} */ error) => {
    // The domain may be gone, and the revision may never have been written down.
    if (error instanceof ApiError && error.status < 500) {
      return null;
    }
    throw error;
  };
  const now = await api.get("/policies", { query, signal }).catch(unknown);
  if (now?.in_force?.digest === policyDigest) {
    return { sources: texts(now.in_force.files), domain, isInForce: true };
  }
  const earlier = await api.get(`/policies/revisions/${encodeURIComponent(policyDigest)}`, { query, signal }).catch(unknown);
  return { sources: earlier && texts(earlier.files), domain, isInForce: false };
}

/** @param {import("./places.js").File[]} files */
export function texts(files) {
  return new Map(files.map((file) => [file.name, file.text ?? ""]));
}
