/** The checks of a folder, and what they found. */

import { badge } from "../shared/button.js";
import { h } from "../shared/dom.js";
import { notice } from "../shared/states.js";
import { table } from "../shared/table.js";
import { code, text } from "../shared/text.js";
import { counterexample } from "./counterexample.js";
import { placed } from "./places.js";

/** @typedef {{gate: string, result: string, took_ms: number | null, report: string | null, findings: any}} Gate */

/** @type {Record<string, [string, "good" | "warning" | "bad" | undefined]>} */
const RESULTS = {
  passed: ["Passed", "good"],
  warned: ["Warned", "warning"],
  refused: ["Refused", "bad"],
  not_run: ["Not run", undefined],
  off: ["Off", undefined],
};

/** @type {Record<string, string>} */
const EXPLAINED = {
  folder: "The folder can be read.",
  validation: "The policies fit the schema.",
  tests: "The folder's examples are decided as they say.",
  proofs: "The invariants hold for every request.",
  widening: "Whatever allows more is approved first.",
};

/** @param {Gate[]} gates */
export function gateTable(gates) {
  return table({
    caption: "Checks",
    rows: gates,
    columns: [
      { title: "Check", cell: (gate) => [h("strong", {}, text(gate.gate)), " ", h("span", { class: "muted" }, EXPLAINED[gate.gate])] },
      { title: "Result", cell: (gate) => badge(...(RESULTS[gate.result] ?? [gate.result, undefined])) },
      { title: "Took", cell: (gate) => (gate.took_ms === null ? text(null) : h("span", { class: "short" }, duration(gate.took_ms))) },
    ],
  });
}

/** @param {number} ms */
export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)}\u00a0ms` : `${(ms / 1000).toFixed(1)}\u00a0s`;
}

/**
 * What one gate found, as tables where it gives data, and as it said it otherwise.
 *
 * @param {Gate} gate
 */
export function findings({ findings: found, report }) {
  const parts = found ? [faults(found), failures(found), proofs(found)].filter(Boolean) : [];
  const whole = report && h("pre", { class: "report", tabindex: "0", "aria-label": "Report" }, text(report.trimEnd()));
  if (parts.length === 0) {
    return whole || null;
  }
  return h("div", { class: "stack" }, parts, whole && h("details", { open: found.faults?.length > 0 }, h("summary", {}, "The whole report"), whole));
}

/** @param {any} found */
function faults({ faults: rows }) {
  return (
    rows?.length > 0 &&
    table({
      caption: "Faults",
      rows,
      columns: [
        { title: "Where", cell: (/** @type {any} */ row) => text(place(row)) },
        { title: "Fault", cell: (row) => text(row.message) },
        { title: "Help", cell: (row) => text(row.help) },
      ],
    })
  );
}

/** @param {any} fault */
function place({ file, line, column }) {
  const name = (file ?? "").split("/").pop();
  return [name, line, column].filter(Boolean).join(":");
}

/** @param {any} found */
function failures({ failures: rows, never_decided: never = [] }) {
  return [
    rows?.length > 0 &&
      table({
        caption: "Examples that fail",
        rows,
        columns: [
          { title: "Example", cell: (/** @type {any} */ row) => text(row.name) },
          { title: "Where", cell: (row) => h("span", { class: "short" }, text(`${row.file}:${row.line}`)) },
          { title: "What happens", cell: (row) => text(row.failure) },
        ],
      }),
    never.length > 0 && notice("No example shows these policies at work:", "warning", never.map((/** @type {any} */ id) => h("p", {}, code(typeof id === "string" ? id : id.policy)))),
  ].filter(Boolean);
}

/** How many counterexamples are shown whole at first. */
const OPEN = 1;

/** @param {any} found */
function proofs({ findings: rows }) {
  return (
    rows?.length > 0 &&
    h(
      "ol",
      { class: "feed", "aria-label": "What is not proved" },
      rows.map((/** @type {any} */ row, /** @type {number} */ index) =>
        h(
          "li",
          {},
          h(
            "details",
            { class: "finding", open: index < OPEN },
            h("summary", {}, h("span", {}, claim(row.claim)), h("span", {}, text(row.request_type, "every request"))),
            h("div", { class: "inside stack" }, verdict(row.verdict), row.and_more > 0 && h("p", { class: "muted" }, `The same may be so for ${row.and_more} more kinds of requests.`)),
          ),
        ),
      ),
    )
  );
}

/** @param {any} of */
function claim(of) {
  switch (of.kind) {
    case "invariant":
      return ["Invariant ", code(of.name), of.at_start && " (of the policies before)"];
    case "never-errors":
      return ["Never fails: ", code(of.policy.policy)];
    case "can-match":
      return ["Matches something: ", code(of.policy.policy)];
    default:
      return "The analysis as a whole";
  }
}

/** @param {any} of */
function verdict(of) {
  if (of.is === "refuted") {
    return [
      h("h3", {}, "A request that breaks it"),
      counterexample(of.counterexample),
      of.by.length > 0 && [h("h3", {}, "By"), placed(of.by)],
    ];
  }
  const words = of.is === "never" ? "No request does." : `Not proved, which counts as broken: ${plain(of.reason)}`;
  return h("p", {}, text(words));
}

/** @param {any} reason */
function plain(reason) {
  return typeof reason === "string" ? reason : (reason?.text ?? JSON.stringify(reason));
}
