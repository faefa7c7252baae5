/** Figures of this process over time: decisions, denials, latency, and edits that were taken or refused. */

import { button } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { page } from "../../shared/page.js";
import { card, empty, section } from "../../shared/states.js";
import { table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { barTable, lineChart } from "../charts.js";
import { duration } from "../gates.js";
import { repeat } from "../live.js";
import { bucketsByRoute, denialsByPermission, measuring } from "../measured.js";
import { quantile, samples } from "../metrics.js";
import { reloads } from "../reload-history.js";
import { policiesSection } from "../sections.js";

const LOOK_MS = 2_000;
/** Ten minutes. */
const MOST_POINTS = 300;
/** Permissions with a line of their own. */
const MOST_LINES = 3;
const figures = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** @param {import("../main.js").Context} context */
export function show(context) {
  return page(
    "Charts",
    "Figures of this process: the lines since this page was opened, the tables of routes and permissions since it started. GET /metrics has them for a monitoring system.",
    section(() => drawn(context)).element,
    card("Reload history", policiesSection({ ...context, domain: null }, (policies) => history(context, policies)), {
      explanation: "Edits of the built-in policies: revisions on record, and what this process has refused since it started.",
    }),
  );
}

/**
 * @param {import("../main.js").Context} context
 * @param {any} policies
 */
async function history({ api, signal }, { refusals }) {
  const revisions = await api.get("/policies/revisions", { query: { limit: 50 }, signal });
  return reloads(revisions.results, refusals);
}

/** @param {import("../main.js").Context} context */
async function drawn({ api, signal }) {
  const read = async () => samples(await api.text("/metrics", { signal }));
  const first = await read();
  const [rates, denials, latency] = [h("div"), h("div"), h("div")];
  const measure = measuring(first);
  /** @type {import("../measured.js").Point[]} */
  const points = [];
  /** @type {string[]} permissions with a line of their own, which stays theirs */
  const own = [];
  let isLive = true;
  const draw = (/** @type {import("../metrics.js").Sample[]} */ now) => {
    fill(rates, decisionsASecond(points));
    fill(denials, denialsOverTime(points, own, now));
    fill(latency, latencyOverTime(points, now));
  };
  draw(first);
  repeat(LOOK_MS, signal, async () => {
    if (!isLive) {
      return;
    }
    const now = await read();
    points.push(measure(now));
    points.splice(0, Math.max(0, points.length - MOST_POINTS));
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
    card("Latency", latency, { explanation: "Of the requests that this process answered, those of this page included." }),
  );
}

/** @param {number} value */
function aSecond(value) {
  return `${value.toFixed(value < 10 ? 1 : 0)} a second`;
}

/**
 * Lines over time, and the newest of their figures as a table.
 *
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.caption
 * @param {string} options.label
 * @param {import("../measured.js").Point[]} options.points
 * @param {{name: string, kind: import("../charts.js").Kind, of: (point: import("../measured.js").Point) => number | null}[]} options.lines
 * @param {(value: number) => string} options.format
 * @param {number} [options.least]
 */
function overTime({ name, caption, label, points, lines, format, least }) {
  return [
    lineChart({
      label,
      lines: lines.map((line) => ({ name: line.name, kind: line.kind, values: points.map(line.of) })),
      times: points.map((point) => point.at),
      format,
      least,
    }),
    h(
      "details",
      { open: wasOpen(name), "data-name": name },
      h("summary", {}, "As a table"),
      table({
        caption,
        rows: points.slice(-30).reverse(),
        columns: [
          { title: "At", cell: (point) => clock.format(point.at) },
          ...lines.map((line) => ({
            title: line.name,
            cell: (/** @type {import("../measured.js").Point} */ point) => {
              const value = line.of(point);
              return value === null ? text(null, "none") : format(value);
            },
          })),
        ],
      }),
    ),
  ];
}

/** @param {import("../measured.js").Point[]} points */
function decisionsASecond(points) {
  const latest = points.at(-1);
  return h(
    "div",
    { class: "stack" },
    overTime({
      name: "rates",
      caption: "Decisions a second",
      label: latest ? `Decisions a second, lately ${aSecond(latest.allow)} allowed and ${aSecond(latest.deny)} denied` : "Decisions a second, not yet measured",
      points,
      lines: [
        { name: "Allowed", kind: "good", of: (point) => point.allow },
        { name: "Denied", kind: "bad", of: (point) => point.deny },
      ],
      format: aSecond,
    }),
  );
}

/** @param {string} name */
function wasOpen(name) {
  return document.querySelector(`details[data-name="${name}"]`)?.hasAttribute("open");
}

/**
 * @param {import("../measured.js").Point[]} points
 * @param {string[]} own
 * @param {import("../metrics.js").Sample[]} all
 */
function denialsOverTime(points, own, all) {
  const rows = [...denialsByPermission(all)].filter(([, count]) => count > 0);
  rows.sort(([name, one], [otherName, other]) => other - one || name.localeCompare(otherName));
  if (rows.length === 0) {
    return empty("Nothing was denied");
  }
  const others = rows.map(([permission]) => permission).filter((permission) => !own.includes(permission));
  own.push(...others.slice(0, MOST_LINES - own.length));
  /** @type {import("../charts.js").Kind[]} */
  const kinds = ["bad", "plain", "warning"];
  /** @type {Parameters<typeof overTime>[0]["lines"]} */
  const lines = own.map((permission, index) => ({ name: permission, kind: kinds[index] ?? "plain", of: (point) => point.denials.get(permission) ?? 0 }));
  if (rows.length > own.length) {
    const rest = (/** @type {import("../measured.js").Point} */ point) => [...point.denials].reduce((sum, [permission, rate]) => (own.includes(permission) ? sum : sum + rate), 0);
    lines.push({ name: "All others", kind: "muted", of: rest });
  }
  const latest = points.at(-1);
  return h(
    "div",
    { class: "stack" },
    overTime({
      name: "denials",
      caption: "Denials a second by permission",
      label: latest ? `Denials a second by permission, lately ${lines.map((line) => `${line.name} ${aSecond(line.of(latest) ?? 0)}`).join(", ")}` : "Denials a second by permission, not yet measured",
      points,
      lines,
      format: aSecond,
    }),
    barTable({
      caption: "Denials by permission",
      rows,
      kind: "bad",
      value: ([, count]) => count,
      columns: [
        { title: "Permission", cell: ([permission]) => h("a", { href: `/workbench/decisions?${new URLSearchParams({ outcome: "deny", permission })}` }, code(permission)) },
        { title: "Denials", number: true, cell: ([, count]) => figures.format(count) },
      ],
    }),
  );
}

/**
 * @param {import("../measured.js").Point[]} points
 * @param {import("../metrics.js").Sample[]} all
 */
function latencyOverTime(points, all) {
  const latest = points.at(-1)?.latency;
  return h(
    "div",
    { class: "stack" },
    overTime({
      name: "latency",
      caption: "Latency of all requests",
      label: latest ? `Latency of all requests, lately half within ${milliseconds(latest.half)} and 99 % within ${milliseconds(latest.nearly)}` : "Latency of all requests, not yet measured",
      points,
      lines: [
        { name: "99 % within", kind: "warning", of: (point) => point.latency?.nearly ?? null },
        { name: "90 % within", kind: "plain", of: (point) => point.latency?.most ?? null },
        { name: "Half within", kind: "good", of: (point) => point.latency?.half ?? null },
      ],
      format: milliseconds,
      least: 0.001,
    }),
    latencyByRoute(all),
  );
}

/** @param {import("../metrics.js").Sample[]} all */
function latencyByRoute(all) {
  const rows = [...bucketsByRoute(all)].map(([route, buckets]) => ({ route, count: buckets.at(-1)?.count ?? 0, share: (/** @type {number} */ of) => quantile(buckets, of) }));
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
