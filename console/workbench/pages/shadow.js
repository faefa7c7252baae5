/** The policies that are asked beside those in force and decide nothing. */

import { linkButton } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { card, empty, notice } from "../../shared/states.js";
import { pairs } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime } from "../../shared/time.js";
import { changedFiles } from "../changed-files.js";
import { domainPage } from "../domains.js";
import { about } from "../places.js";
import { policiesSection } from "../sections.js";

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { domain } = context;
  return domainPage(
    context,
    "Shadow",
    "A second folder, evaluated for every request. It decides nothing; differing decisions are recorded.",
    policiesSection(context, ({ in_force: inForce, shadow }) =>
      shadow
        ? described(inForce, shadow, domain)
        : domain
          ? empty("There is no shadow of this domain", `Name a folder in the setting policies.shadow, and put domains/${domain} into it: it is evaluated beside the policies in force, and what it would decide otherwise is listed here.`)
          : empty("There is no shadow", "Name a folder in the setting policies.shadow: it is evaluated beside the policies in force, and what it would decide otherwise is listed here."),
    ),
  );
}

/**
 * @param {any} inForce
 * @param {any} shadow
 * @param {string | null} domain
 */
function described(inForce, shadow, domain) {
  return h(
    "div",
    { class: "stack stack-large" },
    shadow.fault && notice("The newest shadow folder is not used.", "danger", h("pre", { class: "report", tabindex: "0", "aria-label": "Fault" }, text(shadow.fault))),
    shadow.digest &&
      card(
        "In use",
        [
          pairs([
            ["Since", exactTime(shadow.since)],
            ["Policies", String(shadow.policies.length)],
            ["Digest", code(shadow.digest)],
            ["Folder", code(shadow.folder_digest)],
          ]),
          h("div", { class: "row" }, linkButton("Decisions that would differ", about("/workbench/decisions", domain, { shadow_differs: "true" }))),
        ],
      ),
    shadow.digest && card("What differs from the policies in force", changedFiles(inForce?.files ?? [], shadow.changed)),
  );
}
