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
import { code, permissionWords, text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { filterForm, filterQuery } from "../../shared/filters.js";
import { nameAndId, nameOf, readActors } from "../names.js";
import { page } from "../../shared/page.js";

/**
 * @typedef {{sequence: number, at: string, actor: string, action: string, object: string,
 *   changes: {before?: Record<string, any>, after?: Record<string, any>}, request_id: string | null,
 *   policy_digest: string | null}} Event
 */

const PATH = "/audit-events";
const LIMIT = 200;
const FILTERS = ["since", "until", "actor", "action", "object"];
/** @type {(keyof Event)[]} */
const COLUMNS = ["sequence", "at", "actor", "action", "object", "changes", "request_id", "policy_digest"];

/** @param {import("../main.js").Context} context */
export async function show(context) {
  const { api, query, signal } = context;
  const names = await readActors(context);
  const filters = filterQuery(query, FILTERS);
  const read = async (/** @type {string | null} */ cursor) =>
    (await api.get(PATH, { query: { ...filters, cursor, limit: LIMIT }, signal })).data;
  const list = feed({
    label: "Audit events",
    nothing: "No events",
    read,
    show: (/** @type {Event} */ event) => ({
      summary: [time(event.at), nameOf(names, event.actor), action(event.action)],
      details: () => details(names, event),
    }),
  });
  return page(
    "Audit events",
    "Each change is on record with who made it. Nobody can change the record unseen.",
    card("Find", [
      filterForm(context, [
        { name: "actor", label: "By (id)", suggestions: [...names] },
        { name: "action", label: "Action" },
        { name: "object", label: "On (id)" },
        { name: "since", label: "From", type: "date" },
        { name: "until", label: "To", type: "date" },
      ]),
    ]),
    card("Events", list, { action: exports(read) }),
  );
}

/** @param {string} name */
function action(name) {
  return h("span", { title: name }, text(permissionWords(name)));
}

/**
 * @param {Map<string, string>} names
 * @param {Event} event
 */
function details(names, event) {
  return h(
    "div",
    { class: "stack" },
    pairs([
      ["Number", event.sequence],
      ["When", exactTime(event.at)],
      ["By", nameAndId(names, event.actor)],
      ["Action", code(event.action)],
      ["On", code(event.object)],
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
