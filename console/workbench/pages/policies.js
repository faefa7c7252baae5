/** The policies in force: which, since when, checked how, and their texts. */

import { linkButton } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { card, notice } from "../../shared/states.js";
import { pairs, table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { domainPage, refusedDomains } from "../domains.js";
import { findings, gateTable } from "../gates.js";
import { about, digest } from "../places.js";
import { policiesSection } from "../sections.js";
import { sourceView } from "../source.js";

/** @param {import("../main.js").Context} context */
export function show(context) {
  return domainPage(
    context,
    "Policies in force",
    "What decides each request now. Edits go through the folder on disk.",
    policiesSection(context, (policies) => all(context, policies)),
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {any} policies
 */
function all({ query, domain }, { in_force: inForce, refused, shadow, domains }) {
  return h(
    "div",
    { class: "stack stack-large" },
    refused &&
      notice(
        inForce ? "A newer folder is refused. What was in force before stays so." : "The folder is refused, and none is in force: questions about this domain are not answered.",
        "danger",
        h("p", {}, "Since ", time(refused.since), "."),
        h("div", {}, linkButton("See why", about("/workbench/refused-edit", domain), { small: true })),
      ),
    refusedDomains(domains, domain),
    inForce && described(inForce, shadow, domain, query),
  );
}

/**
 * @param {any} inForce
 * @param {any} shadow
 * @param {string | null} domain
 * @param {URLSearchParams} query
 */
function described(inForce, shadow, domain, query) {
  return [
    inForce.failed_checks.map((/** @type {string} */ check) => notice("A check fails that an emergency stop does not pass.", "danger", h("p", {}, text(check)))),
    inForce.warnings.map((/** @type {string} */ warning) => notice("Look at this.", "warning", h("p", {}, text(warning)))),
    inForce.failing.length > 0 && card("Policies that cannot be evaluated", failing(inForce.failing)),
    h(
      "div",
      { class: "two" },
      card("In force", summary(inForce, shadow, domain)),
      card("Checks", gateTable(inForce.gates)),
    ),
    inForce.gates
      .filter((/** @type {any} */ gate) => gate.result !== "passed" && (gate.findings || gate.report))
      .map((/** @type {any} */ gate) => card(`What “${gate.gate}” found`, findings(gate))),
    card("Source", source(inForce, domain, query)),
  ];
}

/**
 * @param {any} inForce
 * @param {any} shadow
 * @param {string | null} domain
 */
function summary(inForce, shadow, domain) {
  return pairs([
    ["Since", exactTime(inForce.since)],
    ["Policies", `${inForce.policies.length} in ${new Set(inForce.policies.map((/** @type {any} */ it) => it.file)).size} files`],
    ["Invariants", String(inForce.invariants.length)],
    ["Digest", code(inForce.digest)],
    ["Folder", code(inForce.folder_digest)],
    ["Shadow", shadow ? h("a", { href: about("/workbench/shadow", domain) }, shadow.fault ? "Cannot be used" : digest(shadow.digest)) : text(null, "none")],
  ]);
}

/** @param {{policy: string, error: string, count: number, last: string}[]} rows */
function failing(rows) {
  return table({
    caption: "Policies that could not be evaluated in the last quarter of an hour",
    rows,
    columns: [
      { title: "Policy", cell: (row) => code(row.policy) },
      { title: "Error", cell: (row) => text(row.error) },
      { title: "Times", cell: (row) => row.count },
      { title: "Last", cell: (row) => time(row.last) },
    ],
  });
}

/**
 * @param {any} inForce
 * @param {string | null} domain
 * @param {URLSearchParams} query
 */
function source(inForce, domain, query) {
  /** @type {import("../places.js").File[]} */
  const files = inForce.files;
  const wanted = query.get("file");
  const file = files.find((it) => it.name === wanted) ?? files.find((it) => it.name.endsWith(".cedar")) ?? files[0];
  if (!file) {
    return notice("The folder has no files.", "warning");
  }
  const policies = policiesOf(inForce, file.name);
  const line = Number(query.get("line") ?? NaN);
  return h(
    "div",
    { class: "browser" },
    h(
      "nav",
      { class: "files", "aria-label": "Files" },
      h(
        "ul",
        {},
        files.map((it) => h("li", {}, h("a", { href: link(domain, it.name), "aria-current": it === file && "true" }, text(it.name)))),
      ),
    ),
    h(
      "div",
      { class: "stack" },
      h("h3", {}, text(file.name)),
      policies.length > 0 &&
        h(
          "details",
          {},
          h("summary", {}, `${policies.length} ${policies.length === 1 ? "policy" : "policies"}`),
          policyTable(policies, domain, file.name),
        ),
      sourceView({
        label: `Text of ${file.name}`,
        source: file.text ?? "",
        arrive: line,
        marks: new Map(Number.isNaN(line) ? [] : [[line, { kind: "here" }]]),
      }),
    ),
  );
}

/**
 * Invariants name their files without the folder.
 *
 * @param {any} inForce
 * @param {string} file
 * @returns {import("../places.js").Policy[]}
 */
function policiesOf(inForce, file) {
  const invariants = inForce.invariants.flatMap((/** @type {any} */ it) => it.policies);
  return file.startsWith("invariants/")
    ? invariants.filter((/** @type {any} */ it) => it.file.split("/").pop() === file.split("/").pop())
    : inForce.policies.filter((/** @type {any} */ it) => it.file === file);
}

/**
 * @param {import("../places.js").Policy[]} rows
 * @param {string | null} domain
 * @param {string} file
 */
function policyTable(rows, domain, file) {
  return table({
    caption: `Policies of ${file}`,
    rows,
    columns: [
      { title: "Line", cell: (row) => h("a", { href: link(domain, file, row.line) }, String(row.line)) },
      { title: "Policy", cell: (row) => code(row.id) },
      { title: "Effect", cell: (row) => row.effect },
    ],
  });
}

/**
 * @param {string | null} domain
 * @param {string} file
 * @param {number} [line]
 */
function link(domain, file, line) {
  return about("/workbench/policies", domain, { file, ...(line ? { line: String(line) } : {}) });
}
