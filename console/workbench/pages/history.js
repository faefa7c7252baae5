/** What was in force from when to when, who approved it, and what was refused. */

import { badge, busy, button } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { errorNotice } from "../../shared/errors.js";
import { card, empty, section } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { domainPage } from "../domains.js";
import { digest } from "../places.js";
import { refusalTable } from "../reload-history.js";
import { policiesSection } from "../sections.js";

/**
 * @typedef {{id: string, approved_by: string, reason: string, approved_at: string}} Approval
 * @typedef {{revision: number, is_authentic: boolean, in_force_from: string | null, in_force_until: string | null,
 *   taken_as: string | null, manifest_version: number | null, folder_digest: string | null, digest: string | null,
 *   approvals: Approval[]}} Revision
 */

/** @type {Record<string, string>} */
const TAKEN = { start: "At a start", edit: "As an edit", stop: "As an emergency stop" };

/** @param {import("../main.js").Context} context */
export function show(context) {
  return domainPage(
    context,
    "History",
    "Which policies were in force from when to when, who approved them, and which edits were refused.",
    card("Revisions", section(() => revisions(context)).element),
    card("Refused edits", policiesSection(context, ({ refusals }) => refusalTable(refusals)), {
      explanation: "What this process has refused since it started, the last 50.",
    }),
  );
}

/** @param {import("../main.js").Context} context */
async function revisions({ api, domain, signal }) {
  const read = (/** @type {string | null} */ cursor) => api.get("/policies/revisions", { query: { domain, limit: 100, cursor }, signal });
  const first = await read(null);
  if (first.results.length === 0) {
    return empty("No revision is on record");
  }
  let cursor = first.next_cursor;
  const lists = h("div", { class: "stack" }, list(first.results));
  const failed = h("div");
  const more = button("Show more", {
    onclick: () =>
      busy(more, "Loading…", async () => {
        fill(failed);
        try {
          const found = await read(cursor);
          lists.append(list(found.results));
          cursor = found.next_cursor;
          more.hidden = !cursor;
        } catch (error) {
          fill(failed, errorNotice(error));
        }
      }),
  });
  more.hidden = !cursor;
  return h("div", { class: "stack" }, lists, failed, h("div", { class: "row" }, more));
}

/** @param {Revision[]} rows */
function list(rows) {
  return table({
    caption: "Revisions",
    rows,
    columns: [
      { title: "Revision", cell: (row) => [String(row.revision), " ", !row.is_authentic && badge("Not authentic", "bad"), row.is_authentic && !row.in_force_until && badge("In force", "good")] },
      {
        title: "In force",
        cell: (row) => [
          h("p", { class: "short" }, "from ", row.in_force_from ? exactTime(row.in_force_from) : text(null, "an unknown time")),
          row.in_force_until && h("p", { class: "short" }, "until ", exactTime(row.in_force_until)),
        ],
      },
      { title: "Taken", cell: (row) => text(TAKEN[row.taken_as ?? ""] ?? row.taken_as) },
      { title: "Manifest", cell: (row) => text(row.manifest_version === null ? null : String(row.manifest_version)) },
      { title: "Policies", cell: (row) => digest(row.digest) },
      { title: "Whole folder", cell: (row) => digest(row.folder_digest) },
      { title: "Approved by", cell: (row) => (row.approvals.length === 0 ? text(null, "no approval") : approvals(row.approvals)) },
    ],
  });
}

/** @param {Approval[]} rows */
function approvals(rows) {
  return h(
    "ul",
    { class: "bare" },
    rows.map((row) => h("li", {}, h("strong", {}, text(row.approved_by)), " ", time(row.approved_at), ": ", text(row.reason))),
  );
}
