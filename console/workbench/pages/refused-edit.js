/** The newer folder that is refused: what each check found, and what was changed. */

import { h } from "../../shared/dom.js";
import { card, empty } from "../../shared/states.js";
import { pairs } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime } from "../../shared/time.js";
import { changedFiles } from "../changed-files.js";
import { domainPage, refusedDomains } from "../domains.js";
import { findings, gateTable } from "../gates.js";
import { policiesSection } from "../sections.js";

/** @param {import("../main.js").Context} context */
export function show(context) {
  return domainPage(
    context,
    "Refused edit",
    "The folder on disk, if it is not what is in force.",
    policiesSection(context, ({ in_force: inForce, refused, domains }) =>
      h("div", { class: "stack stack-large" }, refusedDomains(domains, context.domain), refused ? edit(inForce, refused) : nothing(domains, context.domain)),
    ),
  );
}

/**
 * @param {import("../domains.js").Domain[]} domains
 * @param {string | null} domain
 */
function nothing(domains, domain) {
  const later = "An edit that fails a check is explained here as soon as it is saved.";
  if (domain) {
    return empty(`No edit of the domain ${domain} is refused`, `What is on disk of it is in force. ${later}`);
  }
  return domains.some((each) => each.refused_since !== null)
    ? empty("No edit of the built-in policies is refused", `What is on disk of them is in force. ${later}`)
    : empty("No edit is refused", `What is on disk is in force. ${later}`);
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
          ["In force instead", inForce ? code(inForce.folder_digest) : text(null, "nothing")],
        ]),
      ),
      card("Checks", gateTable(refused.gates)),
    ),
    telling.map((gate) => card(`What “${gate.gate}” found`, findings(gate))),
    telling.length === 0 && card("Why", h("pre", { class: "report", tabindex: "0", "aria-label": "Report" }, text(refused.reason))),
    card("What was changed", changedFiles(inForce?.files ?? [], refused.changed)),
  );
}
