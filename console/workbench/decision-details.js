/** One decision, explained. */

import { badge, linkButton } from "../shared/button.js";
import { h } from "../shared/dom.js";
import { notice } from "../shared/states.js";
import { pairs } from "../shared/table.js";
import { code, text } from "../shared/text.js";
import { exactTime } from "../shared/time.js";
import { explained, sourcesOf } from "./explanation.js";
import { digest, entity, questionQuery } from "./places.js";

/** @param {string} decision */
export function outcome(decision) {
  return decision === "allow" ? badge("Allowed", "good") : badge("Denied", "bad");
}

/**
 * @param {Pick<import("./main.js").Context, "api" | "signal">} context
 * @param {string} id
 */
export async function decisionDetails({ api, signal }, id) {
  const decision = await api.get(`/decisions/${encodeURIComponent(id)}`, { signal });
  const sources = decision.explanation ? await sourcesOf(api, decision.policy_digest, signal) : null;
  const facts = pairs([
    ["When", exactTime(decision.at)],
    ["Outcome", h("span", { class: "row" }, outcome(decision.decision), decision.code && code(decision.code))],
    ["Who", entity(decision.principal)],
    ["What", code(decision.action.id)],
    ["On", entity(decision.resource)],
    decision.domain ? ["Domain", code(decision.domain)] : ["Organization", code(decision.organization)],
    decision.via ? ["Asked through", code(decision.via)] : null,
    ["Decision", h("a", { href: `/workbench/decisions/${decision.id}` }, code(decision.id))],
    ["Request", code(decision.request_id)],
    ["Policies", digest(decision.policy_digest)],
  ]);
  const reason = h(
    "div",
    { class: "stack" },
    decision.shadow && notice("The shadow policies decide otherwise.", "warning", shadow(decision.shadow)),
    decision.masked.length > 0 && notice("Parts of this decision are masked in the log.", "", h("p", {}, text(decision.masked.join(", ")))),
    decision.explanation && sources === null && notice(
      decision.domain ? "The sources of domains are not shown here." : "Other policies are in force now, so that the source is not shown.",
      "",
    ),
    decision.explanation
      ? explained(decision.explanation, sources)
      : unexplained(decision),
  );
  const again = !decision.domain && h("div", {}, linkButton("Try this request", tryLink(decision), { small: true }));
  return h("div", { class: "side side-facts" }, reason, h("div", { class: "facts" }, facts, again));
}

/** @param {any} decision */
function tryLink({ principal, action, resource }) {
  return `/workbench/try?${questionQuery({ subject: principal, action: { name: action.id }, resource })}`;
}

/** @param {any} decision */
function unexplained(decision) {
  return h(
    "div",
    { class: "stack" },
    notice("It cannot be explained: the policies that decided are not at hand, or its parts are masked.", ""),
    decision.policies.length > 0 && [
      h("h3", {}, "Policies that decided"),
      h("ul", { class: "bare" }, decision.policies.map((/** @type {any} */ it) => h("li", {}, code(it.id ?? it)))),
    ],
  );
}

/** @param {{policy_digest: string, decision: string, reason: string | null, determining: string[]}} found */
function shadow({ decision, determining, policy_digest: of }) {
  return pairs([
    ["Outcome", outcome(decision)],
    ["By", determining.length > 0 ? code(determining.join(", ")) : text(null, "no policy permits it")],
    ["Shadow policies", digest(of)],
  ]);
}
