/** Figures of this process: decisions a second, denials, latency, and when policies were taken. */

import { button } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { page } from "../../shared/page.js";
import { card, empty, section } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime, time } from "../../shared/time.js";
import { barTable, lineChart } from "../charts.js";
import { duration } from "../gates.js";
import { repeat } from "../live.js";
import { quantile, samples, sums } from "../metrics.js";
import { digest } from "../places.js";

const LOOK_MS = 2_000;
/** Ten minutes. */
const MOST_POINTS = 300;
const DECISIONS = "charter_authz_decisions_total";
const figures = new Intl.NumberFormat("en");
const LATENCY = "charter_http_request_seconds_bucket";

/** @typedef {{at: number, allow: number, deny: number}} Rate a second */

/** @param {import("../main.js").Context} context */
export function show(context) {
  return page(
    "Charts",
    "Figures of this process since it started; the first one since this page was opened. GET /metrics has them for a monitoring system.",
    section(() => drawn(context)).element,
  );
}

/** @param {import("../main.js").Context} context */
async function drawn({ api, signal }) {
  const read = async () => samples(await api.text("/metrics", { signal }));
  const [first, history] = await Promise.all([read(), api.get("/policies/revisions", { query: { limit: 50 }, signal })]);
  const [rates, denials, latency] = [h("div"), h("div"), h("div")];
  /** @type {Rate[]} */
  const points = [];
  let isLive = true;
  let last = { at: performance.now(), ...totals(first) };
  const draw = (/** @type {import("../metrics.js").Sample[]} */ now) => {
    fill(rates, decisionsASecond(points));
    fill(denials, denialsByPermission(now));
    fill(latency, latencyByRoute(now));
  };
  draw(first);
  repeat(LOOK_MS, signal, async () => {
    if (!isLive) {
      return;
    }
    const now = await read();
    const next = { at: performance.now(), ...totals(now) };
    const seconds = (next.at - last.at) / 1000;
    points.push({ at: Date.now(), allow: Math.max(0, next.allow - last.allow) / seconds, deny: Math.max(0, next.deny - last.deny) / seconds });
    points.splice(0, Math.max(0, points.length - MOST_POINTS));
    last = next;
    if (!document.querySelector(".charts details[open]")?.contains(document.activeElement)) {
      draw(now);
    }
  });
  const pause = button("Pause", {
    small: true,
    onclick: () => {
      isLive = !isLive;
      fill(pause, isLive ? "Pause" : "Go on");
    },
  });
  return h(
    "div",
    { class: "stack stack-large charts" },
    card("Decisions a second", rates, { action: pause }),
    card("Denials by permission", denials),
    card("Latency by route", latency),
    card("Policies taken", taken(history.results)),
  );
}

/** @param {import("../metrics.js").Sample[]} all */
function totals(all) {
  const found = sums(all, DECISIONS, "decision");
  return { allow: found.get("allow") ?? 0, deny: found.get("deny") ?? 0 };
}

/** @param {Rate[]} points */
function decisionsASecond(points) {
  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
  const at = (/** @type {Rate | undefined} */ point) => (point ? clock.format(point.at) : "now");
  const format = (/** @type {number} */ value) => `${value.toFixed(value < 10 ? 1 : 0)} a second`;
  const latest = points.at(-1);
  return h(
    "div",
    { class: "stack" },
    lineChart({
      label: latest ? `Decisions a second, lately ${format(latest.allow)} allowed and ${format(latest.deny)} denied` : "Decisions a second, not yet measured",
      lines: [
        { name: "Allowed", kind: "good", values: points.map((point) => point.allow) },
        { name: "Denied", kind: "bad", values: points.map((point) => point.deny) },
      ],
      from: at(points[0]),
      to: at(latest),
      format,
    }),
    h(
      "details",
      { open: wasOpen("rates"), "data-name": "rates" },
      h("summary", {}, "As a table"),
      table({
        caption: "Decisions a second",
        rows: points.slice(-30).reverse(),
        columns: [
          { title: "At", cell: (point) => clock.format(point.at) },
          { title: "Allowed", cell: (point) => format(point.allow) },
          { title: "Denied", cell: (point) => format(point.deny) },
        ],
      }),
    ),
  );
}

/** @param {string} name */
function wasOpen(name) {
  return document.querySelector(`details[data-name="${name}"]`)?.hasAttribute("open");
}

/** @param {import("../metrics.js").Sample[]} all */
function denialsByPermission(all) {
  const rows = [...sums(all, DECISIONS, "permission", (labels) => labels.decision === "deny")].filter(([, count]) => count > 0);
  rows.sort(([, one], [, other]) => other - one);
  if (rows.length === 0) {
    return empty("Nothing was denied");
  }
  return barTable({
    caption: "Denials by permission",
    rows,
    kind: "bad",
    value: ([, count]) => count,
    columns: [
      { title: "Permission", cell: ([permission]) => h("a", { href: `/workbench/decisions?${new URLSearchParams({ outcome: "deny", permission })}` }, code(permission)) },
      { title: "Denials", number: true, cell: ([, count]) => figures.format(count) },
    ],
  });
}

/** @param {import("../metrics.js").Sample[]} all */
function latencyByRoute(all) {
  /** @type {Map<string, {le: number, count: number}[]>} */
  const routes = new Map();
  for (const { labels, value } of all.filter((sample) => sample.name === LATENCY)) {
    const buckets = routes.get(labels.route ?? "") ?? [];
    buckets.push({ le: Number(labels.le?.replace("+Inf", "Infinity")), count: value });
    routes.set(labels.route ?? "", buckets);
  }
  const rows = [...routes].map(([route, buckets]) => ({ route, count: buckets.at(-1)?.count ?? 0, share: (/** @type {number} */ of) => quantile(buckets, of) }));
  // A route that nobody has asked yet has no latency.
  const known = rows.filter((row) => row.count > 0).sort((one, other) => other.count - one.count);
  if (known.length === 0) {
    return empty("No request was answered yet");
  }
  const cell = (/** @type {number} */ share) => (/** @type {typeof rows[0]} */ row) => h("span", { class: "short" }, milliseconds(row.share(share)));
  return barTable({
    caption: "Latency by route",
    rows: known,
    kind: "plain",
    value: (row) => row.share(0.99),
    columns: [
      { title: "Route", cell: (row) => code(row.route) },
      { title: "Requests", number: true, cell: (row) => figures.format(row.count) },
      { title: "Half within", number: true, cell: cell(0.5) },
      { title: "90 % within", number: true, cell: cell(0.9) },
      { title: "99 % within", number: true, cell: cell(0.99) },
    ],
  });
}

/** @param {number} seconds */
function milliseconds(seconds) {
  const ms = seconds * 1000;
  return ms < 10 ? `${ms.toFixed(2)}\u00a0ms` : duration(ms);
}

/** @param {{revision: number, in_force_from: string | null, in_force_until: string | null, taken_as: string | null, digest: string | null}[]} rows */
function taken(rows) {
  const held = (/** @type {typeof rows[0]} */ row) => Math.max(0, (row.in_force_until ? Date.parse(row.in_force_until) : Date.now()) - Date.parse(row.in_force_from ?? "")) / 1000;
  const known = rows.filter((row) => row.in_force_from !== null);
  if (known.length === 0) {
    return empty("No revision is on record");
  }
  return barTable({
    caption: "Policies taken, and how long each was in force",
    rows: known,
    kind: "plain",
    value: held,
    columns: [
      { title: "Revision", cell: (row) => String(row.revision) },
      { title: "Taken", cell: (row) => [exactTime(row.in_force_from), " ", h("span", { class: "muted" }, "(", time(row.in_force_from), ")")] },
      { title: "As", cell: (row) => text(row.taken_as) },
      { title: "Policies", cell: (row) => digest(row.digest) },
      { title: "In force for", cell: (row) => span(held(row)) },
    ],
  });
}

/** @param {number} seconds */
function span(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours >= 48) {
    return `${Math.floor(hours / 24)} days`;
  }
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
