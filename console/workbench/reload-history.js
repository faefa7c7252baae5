/** Edits over time: those that were taken, and those that were refused. */

import { badge } from "../shared/button.js";
import { h } from "../shared/dom.js";
import { empty } from "../shared/states.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";
import { exactTime, time } from "../shared/time.js";
import { timeline } from "./charts.js";
import { digest } from "./places.js";

/**
 * @typedef {{at: string, folder_digest: string | null, gates: string[], reason: string}} Refusal
 * @typedef {{revision: number, in_force_from: string | null, in_force_until: string | null, taken_as: string | null,
 *   folder_digest: string | null}} Taken
 * @typedef {{at: number, iso: string, taken?: Taken, refusal?: Refusal}} Reload
 */

/**
 * Both, newest first.
 *
 * @param {Taken[]} revisions
 * @param {Refusal[]} refusals
 */
export function reloads(revisions, refusals) {
  /** @type {Reload[]} */
  const rows = [
    ...revisions.flatMap((taken) => (taken.in_force_from ? [{ at: Date.parse(taken.in_force_from), iso: taken.in_force_from, taken }] : [])),
    ...refusals.map((refusal) => ({ at: Date.parse(refusal.at), iso: refusal.at, refusal })),
  ];
  rows.sort((one, other) => other.at - one.at);
  if (rows.length === 0) {
    return empty("Nothing was taken or refused");
  }
  const isRefused = (/** @type {Reload} */ row) => row.refusal !== undefined;
  const refused = rows.filter(isRefused).length;
  return h(
    "div",
    { class: "stack" },
    timeline({
      label: `Edits over time: ${rows.length - refused} taken and ${refused} refused, all in the table`,
      marks: rows.map((row) => ({ at: row.at, kind: isRefused(row) ? "bad" : "good" })),
      kinds: { good: "Taken", bad: "Refused" },
    }),
    table({
      caption: "Edits that were taken or refused",
      rows,
      columns: [
        { title: "At", cell: (row) => [exactTime(row.iso), " ", h("span", { class: "muted" }, "(", time(row.iso), ")")] },
        { title: "Outcome", cell: (row) => (isRefused(row) ? badge("Refused", "bad") : badge("Taken", "good")) },
        { title: "Whole folder", cell: (row) => digest((row.taken ?? row.refusal)?.folder_digest ?? null) },
        { title: "In force for, or why not", cell: (row) => (row.refusal ? why(row.refusal) : inForce(row.taken)) },
      ],
    }),
  );
}

/** @param {Refusal[]} rows */
export function refusalTable(rows) {
  if (rows.length === 0) {
    return empty("Nothing was refused since the start of this process");
  }
  return table({
    caption: "Refused edits",
    rows,
    columns: [
      { title: "At", cell: (row) => exactTime(row.at) },
      { title: "Whole folder", cell: (row) => digest(row.folder_digest) },
      { title: "Why", cell: why },
    ],
  });
}

/** @param {Refusal} refusal */
function why({ gates, reason }) {
  return [gates.length > 0 && h("strong", {}, text(gates.join(", "))), gates.length > 0 && ": ", text(reason)];
}

/** @param {Taken | undefined} taken */
function inForce(taken) {
  if (!taken?.in_force_from) {
    return text(null);
  }
  const as = taken.taken_as === "stop" ? ", an emergency stop" : taken.taken_as === "start" ? ", at a start" : "";
  const seconds = (Date.parse(taken.in_force_until ?? "") - Date.parse(taken.in_force_from)) / 1000;
  return `${taken.in_force_until ? span(Math.max(0, seconds)) : "still"}, as revision ${taken.revision}${as}`;
}

/** @param {number} seconds */
function span(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours >= 48) {
    return `${Math.floor(hours / 24)} days`;
  }
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
