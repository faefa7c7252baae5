/** Requests of the organization that policy denied, and why, as far as this person may see. */

import { h } from "../../shared/dom.js";
import { badge } from "../../shared/button.js";
import { feed } from "../../shared/feed.js";
import { card, section } from "../../shared/states.js";
import { pairs, table } from "../../shared/table.js";
import { code, permissionSuggestions, permissionWords, text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { filterForm, filterQuery } from "../../shared/filters.js";
import { readNames } from "../grants.js";
import { Names } from "../names.js";
import { page } from "../../shared/page.js";

/**
 * @typedef {{type: string, id: string}} Entity
 * @typedef {{id: string, at: string, permission: string, principal: Entity, outcome: string, request_id: string,
 *   via: string | null}} Decision
 */

const LIMIT = 200;
/** Of decisions about which another service asked. */
const EVALUATION = "evaluation";
const FILTERS = ["since", "until", "actor", "permission"];

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, session, query, signal } = context;
  const names = new Names(context);
  const permissions = session.can("permissions:ListPermissions") ? readNames(api).then((known) => known.permissions.map(({ name }) => name)).catch(() => []) : [];
  const filters = filterQuery(query, FILTERS);
  const list = feed({
    label: "Denied requests",
    nothing: "Nothing was denied",
    hint: Object.keys(filters).length > 0 ? "No denied request fits the filter." : "A request that policy does not allow appears here, with the id by which its reason is found.",
    read: async (cursor) => {
      const asked = { ...filters, outcome: "deny", cursor, limit: LIMIT };
      const [{ data }] = await Promise.all([api.get("/decisions", { query: asked, signal }), names.list]);
      return data;
    },
    show: (/** @type {Decision} */ decision) => ({
      summary: [
        time(decision.at),
        names.show(decision.principal.id),
        h("span", { class: "did", title: decision.permission }, permissionWords(decision.permission)),
        decision.via === EVALUATION && badge("Only asked"),
      ],
      details: () => details(context, names, decision),
    }),
  });
  return page(
    "Denied requests",
    "What people and programs of this organization requested, and policy did not allow. “Only asked” marks what they did not request: another service asked whether they may.",
    card("Denied", [
      filterForm(context, [
        { name: "actor", label: "By", suggestions: names.list },
        { name: "permission", label: "Permission", suggestions: Promise.resolve(permissions).then(permissionSuggestions) },
        { name: "since", label: "From", type: "date" },
        { name: "until", label: "To", type: "date" },
      ]),
      list,
    ]),
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {Names} names
 * @param {Decision} decision
 */
function details({ api, session }, names, decision) {
  return h(
    "div",
    { class: "stack" },
    pairs([
      ["When", exactTime(decision.at)],
      ["By", names.showWithId(decision.principal.id)],
      ["Permission", code(decision.permission)],
      decision.via === EVALUATION && ["Asked by", "another service; nothing was requested here"],
      ["Decision", code(decision.id)],
      ["Request", code(decision.request_id)],
    ]),
    session.can("decisions:GetDecision")
      ? section(async () => why((await api.get(`/decisions/${decision.id}`)).data)).element
      : h("p", { class: "muted" }, "No policy permits it, or one forbids it. An operator of this installation finds out which by the decision’s id: give it to them."),
  );
}

/** @param {any} decision */
function why(decision) {
  const forbidden = decision.reason === "forbidden";
  const unaskable = decision.explanation?.unaskable;
  return h(
    "div",
    { class: "stack" },
    h("h3", {}, forbidden ? "A policy forbids it" : unaskable ? "The schema does not allow this question" : "No policy permits it"),
    unaskable && h("p", {}, text(unaskable)),
    decision.message && h("p", {}, text(decision.message)),
    decision.policies.length > 0 &&
      table({
        caption: "Policies that decided",
        rows: decision.policies,
        columns: [
          { title: "Policy", cell: (/** @type {any} */ policy) => code(policy.id) },
          { title: "Where", cell: (policy) => text(policy.file ? `${policy.file}:${policy.line}` : null) },
        ],
      }),
  );
}
