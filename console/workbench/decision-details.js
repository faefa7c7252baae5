/** One decision, explained. */

import { badge, linkButton } from "../shared/button.js";
import { h } from "../shared/dom.js";
import { notice } from "../shared/states.js";
import { pairs } from "../shared/table.js";
import { code, text } from "../shared/text.js";
import { exactTime } from "../shared/time.js";
import { explained, policiesOf } from "./explanation.js";
import { about, digest, entity, questionQuery } from "./places.js";

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
  const asked = decision.explanation && (await policiesOf(api, decision.domain, decision.policy_digest, signal));
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
    asked && !asked.isInForce && notice(
      asked.sources ? "Other policies are in force now. These are the ones that decided." : "Other policies are in force now, and the source of those that decided is not on record.",
      "",
    ),
    asked
      ? explained(decision.explanation, asked)
      : unexplained(decision),
  );
  const again = h("div", {}, linkButton("Try this request", tryLink(decision), { small: true }));
  return h("div", { class: "side side-facts" }, reason, h("div", { class: "facts" }, facts, again));
}

/**
 * Of a domain the question says what the policies saw, since no store may know it.
 *
 * @param {any} decision
 */
function tryLink({ domain, principal, action, resource, context, entities }) {
  const asked = (/** @type {import("./places.js").Entity} */ it) => (domain ? { ...it, properties: plainAttributes(entities, it) } : it);
  const question = { subject: asked(principal), action: { name: action.id }, resource: asked(resource), context: domain ? plain(context ?? {}) : undefined };
  return about("/workbench/try", domain, questionQuery(question));
}

/**
 * @param {{uid: import("./places.js").Entity, attrs: Record<string, unknown>}[]} entities
 * @param {import("./places.js").Entity} of
 */
function plainAttributes(entities, { type, id }) {
  return plain((entities ?? []).find(({ uid }) => uid.type === type && uid.id === id)?.attrs ?? {});
}

/**
 * The values that a question can say as they are: texts, numbers, booleans, and lists of these.
 *
 * @param {Record<string, unknown>} values
 */
function plain(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => [value].flat().every((each) => typeof each !== "object")));
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
