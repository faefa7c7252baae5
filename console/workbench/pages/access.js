/** Who may do this to that, and what one may do: by evaluation over every record of the organization. */

import { busy, button, linkButton } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { errorNotice } from "../../shared/errors.js";
import { textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { page } from "../../shared/page.js";
import { card, empty } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { code } from "../../shared/text.js";
import { RESOURCES, SUBJECTS, catalogue, seenEntities } from "../catalogue.js";
import { entityField, permissionField } from "../entity-field.js";
import { entity, questionQuery } from "../places.js";

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
  const { api, signal, query, router } = context;
  const { permissions } = await catalogue(api, signal);
  const seen = seenEntities(api, signal);
  const result = h("div", { "aria-live": "polite" });
  const ask = (/** @type {Record<string, any>} */ question) => {
    router.put({ ...EMPTY, ...Object.fromEntries(questionQuery(question)) });
    return answers(context, question, result);
  };
  return page(
    "Who may, what may",
    "By the policies in force, over the records as they are.",
    h(
      "div",
      { class: "two" },
      card(
        "Who may do this?",
        form({
          fields: [
            permissionField(permissions, query),
            entityField("resource", "Resource", RESOURCES, query, { seen }),
            textField({ name: "organization", label: "Organization (id)", optional: true, mono: true, hint: "For roles and permissions, which belong to none." }),
          ],
          submit: "Who may?",
          working: "Asking…",
          guarded: false,
          before: () => fill(result),
          send: ({ action, resource, organization }) => ask({ action, resource, ...(organization && { organization }) }),
        }),
      ),
      card(
        "What may this one do?",
        form({
          fields: [
            entityField("subject", "Subject", SUBJECTS, query, { seen }),
            permissionField(permissions, query, { optional: true }),
            entityField("resource", "Resource", RESOURCES, query, { optional: true, seen }),
          ],
          submit: "What may it do?",
          working: "Asking…",
          guarded: false,
          before: () => fill(result),
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
async function answers({ api, signal }, question, result) {
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
  const lists = h("div", { class: "stack" }, list(found));
  const failed = h("div");
  const line = h("p", { class: "muted" });
  const more = button("Look further", {
    onclick: () =>
      busy(more, "Asking…", async () => {
        fill(failed);
        try {
          ({ found, cursor } = await read(cursor));
          count += found.length;
          lists.append(list(found));
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

/** @param {Access[]} rows */
function list(rows) {
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
      { title: "Explain", actions: true, cell: (row) => linkButton("Explain", `/workbench/try?${questionQuery({ ...row, action: { name: row.action } })}`, { small: true, label: `Explain ${row.action} on ${row.resource.id}` }) },
    ],
  });
}
