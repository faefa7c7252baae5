/** The newer folder that is refused: what each check found, and what was changed. */

import { h } from "../../shared/dom.js";
import { page } from "../../shared/page.js";
import { card, empty } from "../../shared/states.js";
import { pairs } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime } from "../../shared/time.js";
import { changedFiles } from "../changed-files.js";
import { findings, gateTable } from "../gates.js";
import { policiesSection } from "../sections.js";

/** @param {import("../main.js").Context} context */
export function show(context) {
  return page(
    "Refused edit",
    "The folder on disk, if it is not what is in force.",
    policiesSection(context, ({ in_force: inForce, refused }) =>
      refused ? edit(inForce, refused) : empty("No edit is refused", "What is on disk is in force. An edit that fails a check is explained here as soon as it is saved."),
    ),
  );
}

/**
 * @param {any} inForce
 * @param {any} refused
 */
function edit(inForce, refused) {
  /** @type {import("../gates.js").Gate[]} */
  const telling = refused.gates.filter(
    (/** @type {any} */ gate) => (gate.result === "refused" || gate.result === "warned") && (gate.findings || gate.report),
  );
  return h(
    "div",
    { class: "stack stack-large" },
    h(
      "div",
      { class: "two" },
      card(
        "Refused",
        pairs([
          ["Since", exactTime(refused.since)],
          ["Folder", code(refused.folder_digest)],
          ["In force instead", code(inForce.folder_digest)],
        ]),
      ),
      card("Checks", gateTable(refused.gates)),
    ),
    telling.map((gate) => card(`What “${gate.gate}” found`, findings(gate))),
    telling.length === 0 && card("Why", h("pre", { class: "report", tabindex: "0", "aria-label": "Report" }, text(refused.reason))),
    card("What was changed", changedFiles(inForce.files, refused.changed)),
  );
}
