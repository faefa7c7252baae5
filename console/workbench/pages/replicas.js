/** The processes that serve the database: whether they are well, and have the same policies. */

import { badge } from "../../shared/button.js";
import { h } from "../../shared/dom.js";
import { page } from "../../shared/page.js";
import { card, empty, section } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { repeat } from "../live.js";
import { digest } from "../places.js";

/**
 * @typedef {{id: string, host: string, version: string, started_at: string, policy_digest: string,
 *   domain_digests: Record<string, string> | null, readiness: string,
 *   seen_at: string}} Replica
 */

const LOOK_MS = 5_000;

/** @type {Record<string, "good" | "warning">} */
const READINESS = { ok: "good", degraded: "warning" };

/** @param {import("../main.js").Context} context */
export function show({ api, signal }) {
  const part = section(async () => list((await api.get("/replicas", { signal })).results));
  repeat(LOOK_MS, signal, part.reload);
  return page("Replicas", "The processes that serve this database, and the policies that each has in force.", card("Processes", part.element));
}

/** @param {Replica[]} rows */
function list(rows) {
  if (rows.length === 0) {
    return empty("No process has given a sign of life");
  }
  return table({
    caption: "Replicas",
    rows,
    columns: [
      { title: "Host", cell: (row) => text(row.host) },
      { title: "Ready", cell: (row) => badge(row.readiness, READINESS[row.readiness] ?? "bad") },
      { title: "Policies", cell: (row) => [digest(row.policy_digest), ofDomains(row.domain_digests ?? {})] },
      { title: "Version", cell: (row) => text(row.version) },
      { title: "Started", cell: (row) => exactTime(row.started_at) },
      { title: "Last seen", cell: (row) => time(row.seen_at) },
    ],
  });
}

/** @param {Record<string, string>} digests by domain */
function ofDomains(digests) {
  const all = Object.entries(digests);
  return all.length > 0 && h("ul", { class: "bare small" }, all.map(([name, value]) => h("li", {}, text(name), " ", digest(value))));
}
