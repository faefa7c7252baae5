/** Which policies and conditions the examples show at work, and which decided anything, drawn over the source. */

import { badge } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { selectField } from "../../shared/field.js";
import { card, notice, section } from "../../shared/states.js";
import { pairs, table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { texts } from "../explanation.js";
import { domainPage } from "../domains.js";
import { about, placeLink } from "../places.js";
import { sourceView } from "../source.js";

/**
 * @typedef {{keyword: string, text: string, line: number, is_element: boolean, true: string, false: string}} Covered
 * @typedef {{policy: string, file: string, line: number, decided: boolean, conditions: Covered[]}} PolicyCoverage
 * @typedef {Record<string, {allowed: number, denied: number, last: string}>} Decided
 */

const DAYS = ["1", "7", "30", "90"];

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, domain, signal, query, router } = context;
  const days = DAYS.includes(query.get("days") ?? "") ? query.get("days") : "7";
  const choice = selectField({
    name: "days",
    label: "Decisions of the last",
    value: days,
    options: DAYS.map((each) => ({ value: each, label: each === "1" ? "day" : `${each} days` })),
  });
  choice.element.addEventListener("change", () => router.go(about(location.pathname, domain, { days: choice.read() })));
  const part = section(async () => {
    const [coverage, policies] = await Promise.all([
      api.get("/policies/coverage", { query: { domain, days }, signal }),
      api.get("/policies", { query: { domain }, signal }),
    ]);
    return drawn(coverage, policies.in_force, domain);
  });
  return domainPage(
    context,
    "Coverage",
    "What the examples of the folder show at work, and what requests needed.",
    h("div", { class: "form" }, choice.element),
    part.element,
  );
}

/**
 * @param {any} coverage
 * @param {any} inForce
 * @param {string | null} domain
 */
function drawn({ examples, decided }, inForce, domain) {
  /** @type {PolicyCoverage[]} */
  const policies = examples.policies;
  const gaps = policies.filter((policy) => !policy.decided || policy.conditions.some(isOpen));
  return h(
    "div",
    { class: "stack stack-large" },
    h(
      "div",
      { class: "two" },
      card(
        "Examples",
        pairs([
          ["Coverage", `${examples.percent} %`],
          ["Examples", `${examples.total}, of which ${examples.failures.length} fail`],
          ["Policies not shown at work", String(policies.filter((policy) => !policy.decided).length)],
          ["Conditions with an open outcome", String(policies.flatMap((policy) => policy.conditions).filter(isOpen).length)],
        ]),
      ),
      card("Decisions", [
        pairs([
          ["Since", exactTime(decided.since)],
          ["Policies that decided", `${Object.keys(decided.policies).length} of ${policies.length}`],
        ]),
        !decided.is_complete && notice("The log does not go back that far: it was read from", "warning", exactTime(decided.read_from)),
      ]),
    ),
    card("Policies", coverageTable(policies, decided.policies, domain)),
    gaps.length > 0 && card("Open outcomes", openConditions(policies, domain) || "No condition has one; the policies above that are not shown have no conditions."),
    card("Over the source", source(policies, decided.policies, texts(inForce.files)), {
      explanation: gaps.length === 0 ? "Every policy and every outcome of a condition is shown at work by an example." : "Red: no example shows it at work. Amber: one outcome of a condition is not shown. Green: shown.",
    }),
  );
}

/** @param {Covered} condition */
function isOpen(condition) {
  return condition.true !== "decides" || condition.false !== "decides";
}

/**
 * @param {PolicyCoverage[]} rows
 * @param {Decided} decided
 * @param {string | null} domain
 */
function coverageTable(rows, decided, domain) {
  return table({
    caption: "Coverage of each policy",
    rows,
    dense: true,
    columns: [
      { title: "Policy", cell: (row) => code(row.policy) },
      { title: "Where", cell: (row) => h("span", { class: "short" }, placeLink(row.file, row.line, domain)) },
      { title: "Examples", cell: (row) => (row.decided ? badge("Shown", "good") : badge("Not shown", "bad")) },
      { title: "Conditions", cell: (row) => conditionsOf(row) },
      { title: "Decided", cell: (row) => [times(decided[row.policy]), row.policy in decided && [", ", time(decided[row.policy]?.last)]] },
    ],
  });
}

/** @param {PolicyCoverage} policy */
function conditionsOf({ conditions }) {
  const open = conditions.filter(isOpen).length;
  return conditions.length === 0 ? text(null, "none") : open === 0 ? `${conditions.length} shown` : badge(`${open} of ${conditions.length} open`, "warning");
}

/** @param {Decided[string] | undefined} found */
function times(found) {
  if (!found) {
    return text(null, "nothing");
  }
  return [found.allowed > 0 && `${found.allowed} allowed`, found.denied > 0 && `${found.denied} denied`].filter(Boolean).join(", ");
}

/**
 * @param {PolicyCoverage[]} policies
 * @param {Decided} decided
 * @param {Map<string, string>} sources
 */
function source(policies, decided, sources) {
  const files = [...new Set(policies.map((policy) => policy.file))];
  const view = h("div");
  const choice = selectField({ name: "file", label: "File", options: files.map((file) => ({ value: file, label: file })) });
  const draw = () => {
    const file = choice.read();
    const marks = new Map(policies.filter((policy) => policy.file === file).flatMap((policy) => marksOf(policy, decided)));
    fill(view, sourceView({ label: `Coverage of ${file}`, source: sources.get(file) ?? "", marks }));
  };
  choice.element.addEventListener("change", draw);
  draw();
  return h("div", { class: "stack" }, h("div", { class: "form" }, choice.element), view);
}

/**
 * @param {PolicyCoverage} policy
 * @param {Decided} decided
 * @returns {[number, import("../source.js").Mark][]}
 */
function marksOf(policy, decided) {
  /** @type {Map<number, import("../source.js").Mark>} */
  const marks = new Map();
  marks.set(policy.line, {
    kind: policy.decided ? "good" : "bad",
    note: decided[policy.policy] ? `decided: ${times(decided[policy.policy])}` : policy.decided ? "decided nothing lately" : "no example",
  });
  for (const condition of policy.conditions) {
    const missing = missingOutcomes(condition);
    const before = marks.get(condition.line);
    if (missing) {
      marks.set(condition.line, { kind: before?.kind === "bad" ? "bad" : "warning", note: `not shown: ${missing}` });
    } else if (!before) {
      marks.set(condition.line, { kind: "good" });
    }
  }
  return [...marks];
}

/** @param {Covered} condition */
function missingOutcomes(condition) {
  return [condition.true !== "decides" && "true", condition.false !== "decides" && "false"].filter(Boolean).join(" and ");
}

/**
 * @param {PolicyCoverage[]} policies
 * @param {string | null} domain
 */
function openConditions(policies, domain) {
  const rows = policies.flatMap(({ policy, file, conditions }) => conditions.filter(isOpen).map((condition) => ({ ...condition, policy, file })));
  return (
    rows.length > 0 &&
    table({
      caption: "Conditions with an outcome that no example shows",
      rows,
      columns: [
        { title: "Condition", cell: (row) => code(row.text) },
        { title: "Of", cell: (row) => code(row.policy) },
        { title: "Where", cell: (row) => placeLink(row.file, row.line, domain) },
        { title: "Not shown deciding when", cell: (row) => missingOutcomes(row) },
      ],
    })
  );
}
