/** Who may do this to that, and what one may do: by evaluation over every record of the organization. */

import { busy, button, linkButton } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { errorNotice } from "../../shared/errors.js";
import { textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, empty } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { code } from "../../shared/text.js";
import { catalogue, seenEntities } from "../catalogue.js";
import { domainPage } from "../domains.js";
import { entityField, permissionField, typeField } from "../entity-field.js";
import { about, entity, questionQuery } from "../places.js";

/**
 * @typedef {import("../places.js").Entity} Entity
 * @typedef {{subject: Entity, action: string, resource: Entity, policies: string[]}} Access
 */

/** A question that an earlier one leaves in the address. */
const EMPTY = { "subject.type": null, "subject.id": null, permission: null, "resource.type": null, "resource.id": null };
/** Empty pages that are passed over at once. */
const MOST_PAGES = 20;

/** @param {import("../main.js").Context} context */
export async function show(context) {
  const { api, domain, signal, query, router } = context;
  const { permissions, subjects, resources } = await catalogue(api, domain, signal);
  const seen = seenEntities(api, domain, signal);
  const label = domain ? "Action" : "Permission";
  const result = h("div", { "aria-live": "polite" });
  const ask = (/** @type {Record<string, any>} */ question) => {
    router.put({ ...EMPTY, ...Object.fromEntries(questionQuery(question)) });
    return answers(context, { ...question, ...(domain && { domain }) }, result);
  };
  return domainPage(
    context,
    "Who may, what may",
    domain ? "By the policies in force, over what the domain's entities.json and schema name." : "By the policies in force, over the records as they are.",
    h(
      "div",
      { class: "two" },
      card(
        "Who may do this?",
        form({
          fields: [
            domain ? typeField("subject", "Subject type", subjects, query) : null,
            permissionField(permissions, query, { label }),
            entityField("resource", "Resource", resources, query, { seen }),
            domain ? null : textField({ name: "organization", label: "Organization (id)", optional: true, mono: true, hint: "For roles and permissions, which belong to none." }),
          ].filter((field) => field !== null),
          submit: "Who may?",
          working: "Asking…",
          guarded: false,
          before: () => fill(result),
          send: ({ subject, action, resource, organization }) => ask({ ...(subject && { subject }), action, resource, ...(organization && { organization }) }),
        }),
      ),
      card(
        "What may this one do?",
        form({
          fields: [
            entityField("subject", "Subject", subjects, query, { seen }),
            permissionField(permissions, query, { optional: true, label }),
            entityField("resource", "Resource", resources, query, { optional: true, typed: domain !== null, seen }),
          ],
          submit: "What may it do?",
          working: "Asking…",
          guarded: false,
          before: () => fill(result),
          beside: domain && h("span", { class: "small muted" }, "Leave out the action or the resource id."),
          send: ({ subject, action, resource }) => ask({ subject, action, resource }),
        }),
      ),
    ),
    result,
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {Record<string, any>} question
 * @param {HTMLElement} result
 */
async function answers({ api, domain, signal }, question, result) {
  const read = async (/** @type {string | null} */ from) => {
    /** @type {Access[]} */
    const found = [];
    let cursor = from;
    for (let pages = 0; pages < MOST_PAGES && found.length < 100; pages += 1) {
      const body = { ...question, ...(cursor && { cursor }) };
      const some = await api.post("/policies/access", { body, signal });
      found.push(...some.results);
      cursor = some.next_cursor;
      if (!cursor) {
        break;
      }
    }
    return { found, cursor };
  };
  let { found, cursor } = await read(null);
  let count = found.length;
  const lists = h("div", { class: "stack" }, list(found, domain));
  const failed = h("div");
  const line = h("p", { class: "muted" });
  const more = button("Look further", {
    onclick: () =>
      busy(more, "Asking…", async () => {
        fill(failed);
        try {
          ({ found, cursor } = await read(cursor));
          count += found.length;
          lists.append(list(found, domain));
          tell();
        } catch (error) {
          fill(failed, errorNotice(error));
        }
      }),
  });
  const tell = () => {
    fill(line, cursor ? `${count} so far; not everything has been looked at yet.` : `${count} in all.`);
    more.hidden = !cursor;
  };
  tell();
  fill(result, card("Allowed", [line, count === 0 && !cursor ? empty("Nothing is allowed") : lists, failed, h("div", { class: "row" }, more)]));
}

/**
 * @param {Access[]} rows
 * @param {string | null} domain
 */
function list(rows, domain) {
  if (rows.length === 0) {
    return h("div");
  }
  return table({
    caption: "Allowed",
    rows,
    columns: [
      { title: "Who", cell: (row) => entity(row.subject) },
      { title: "What", cell: (row) => code(row.action) },
      { title: "On", cell: (row) => entity(row.resource) },
      { title: "By", cell: (row) => h("ul", { class: "bare" }, row.policies.map((id) => h("li", {}, code(id)))) },
      { title: "Explain", actions: true, cell: (row) => linkButton("Explain", about("/workbench/try", domain, questionQuery({ subject: row.subject, action: { name: row.action }, resource: row.resource })), { small: true, label: `Explain ${row.action} on ${row.resource.id}` }) },
    ],
  });
}
