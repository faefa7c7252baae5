/** The audit record: what was changed, by whom. */

import { busy, button } from "../../shared/button.js";
import { difference } from "../../shared/difference.js";
import { csvLine, download } from "../../shared/download.js";
import { fill, h } from "../../shared/dom.js";
import { errorNotice } from "../../shared/errors.js";
import { feed } from "../../shared/feed.js";
import { card } from "../../shared/states.js";
import { announce } from "../../shared/status.js";
import { pairs } from "../../shared/table.js";
import { code, permissionSuggestions, permissionWords, text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { filterForm, filterQuery } from "../../shared/filters.js";
import { readNames } from "../grants.js";
import { Names } from "../names.js";
import { page } from "../../shared/page.js";

/**
 * @typedef {{sequence: number, at: string, actor: string, action: string, object: string,
 *   changes: {before?: Record<string, any>, after?: Record<string, any>}, request_id: string | null,
 *   policy_digest: string | null}} Event
 */

const PATH = "/audit-events";
const LIMIT = 200;
const FILTERS = ["since", "until", "actor", "action", "object"];
/** What needs no permission. */
const OF_PERSONS = [
  "person.AcceptInvitation",
  "person.ChangePassword",
  "person.CreateOrganization",
  "person.Register",
  "person.ReportLeakedKey",
  "person.RequestLink",
  "person.ResetPassword",
  "person.SignIn",
  "person.SignOut",
  "person.VerifyEmail",
];
/** @type {(keyof Event)[]} */
const COLUMNS = ["sequence", "at", "actor", "action", "object", "changes", "request_id", "policy_digest"];

/** @param {import("../main.js").Context} context */
export function show(context) {
  const { api, session, query, signal } = context;
  const names = new Names(context);
  const filters = filterQuery(query, FILTERS);
  const read = async (/** @type {string | null} */ cursor) => {
    const [{ data }] = await Promise.all([api.get(PATH, { query: { ...filters, cursor, limit: LIMIT }, signal }), names.list]);
    return data;
  };
  const list = feed({
    label: "Audit events",
    nothing: "No events",
    hint: "No event fits the filter. Show all, or choose other days.",
    read,
    show: (/** @type {Event} */ event) => ({
      summary: [time(event.at), names.show(event.actor), action(event.action), object(names, event)],
      details: () => details(names, event),
    }),
  });
  return page(
    "Audit events",
    "Each change is on record with who made it. Nobody can change the record unseen.",
    card("Events", [
      filterForm(context, [
        { name: "actor", label: "By", suggestions: names.list },
        { name: "action", label: "Action", suggestions: actions(api, session) },
        { name: "object", label: "On (name or id)", suggestions: names.list },
        { name: "since", label: "From", type: "date" },
        { name: "until", label: "To", type: "date" },
      ]),
      list,
    ], { action: exports(read) }),
  );
}

/** @param {string} name */
function action(name) {
  return h("span", { class: "did", title: name }, text(permissionWords(name)));
}

/**
 * What was changed: by the name that it has or was given, or its id.
 *
 * @param {Names} names
 * @param {Event} event
 */
function object(names, { object: id, actor, changes }) {
  if (id === actor) {
    return null;
  }
  const name = changes.after?.name ?? changes.before?.name ?? changes.after?.email ?? changes.before?.email;
  return typeof name === "string" ? h("span", { title: id }, text(name)) : names.show(id);
}

/**
 * What can be done: all that needs a permission, and what does not.
 *
 * @param {import("../api.js").Api} api
 * @param {import("../session.js").Session} session
 * @returns {Promise<[string, string][]>}
 */
async function actions(api, session) {
  if (!session.can("permissions:ListPermissions")) {
    return permissionSuggestions(OF_PERSONS);
  }
  const names = await readNames(api).catch(() => ({ permissions: [] }));
  const changing = names.permissions.map(({ name }) => name).filter((name) => !/:(Get|List)/.test(name));
  return permissionSuggestions([...changing, ...OF_PERSONS]);
}

/**
 * @param {Names} names
 * @param {Event} event
 */
function details(names, event) {
  return h(
    "div",
    { class: "stack" },
    pairs([
      ["Number", event.sequence],
      ["When", exactTime(event.at)],
      ["By", names.showWithId(event.actor)],
      ["Action", code(event.action)],
      ["On", names.showWithId(event.object)],
      ["Request", code(event.request_id)],
      ["Policies", code(event.policy_digest)],
    ]),
    difference(event.changes),
  );
}

/**
 * Buttons that save all events of the filter as a file.
 *
 * @param {(cursor: string | null) => Promise<{results: Event[], next_cursor: string | null}>} read
 */
function exports(read) {
  const failed = h("div");
  const save = (/** @type {string} */ words, /** @type {string} */ type, /** @type {(event: Event) => string} */ line) => {
    const press = button(words, {
      small: true,
      label: `Export as ${words}`,
      onclick: () =>
        busy(press, "Reading…", async () => {
          fill(failed);
          try {
            const lines = words === "CSV" ? [csvLine(COLUMNS)] : [];
            let cursor = null;
            do {
              const answer = await read(cursor);
              lines.push(...answer.results.map(line));
              cursor = answer.next_cursor;
            } while (cursor);
            download(words === "CSV" ? "audit-events.csv" : "audit-events.jsonl", type, lines);
            announce(`Exported: ${lines.length - (words === "CSV" ? 1 : 0)} events.`);
          } catch (error) {
            fill(failed, errorNotice(error));
          }
        }),
    });
    return press;
  };
  return h(
    "div",
    { class: "row" },
    save("CSV", "text/csv;charset=utf-8", (event) => csvLine(COLUMNS.map((column) => event[column] ?? ""))),
    save("JSON lines", "application/jsonl", (event) => `${JSON.stringify(event)}\n`),
    failed,
  );
}
