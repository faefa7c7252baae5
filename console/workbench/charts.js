/** Pictures of figures, each with a table of the same. */

import { h } from "../shared/dom.js";
import { table } from "../shared/table.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 140];

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Element} children
 */
function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** @typedef {"good" | "bad" | "plain" | "warning" | "muted"} Kind how a line or bar is drawn */

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dated = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/**
 * A picture with what is said above and below it.
 *
 * @param {object} options
 * @param {string} options.label what the picture shows
 * @param {[Kind, string][]} options.legend
 * @param {string} [options.most] what the upper end stands for
 * @param {[string, string]} options.ends said at the left and the right end
 * @param {Element[]} options.content
 */
function figure({ label, legend, most, ends, content }) {
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", { class: "row" }, legend.map(([kind, name]) => h("span", { class: `legend legend-${kind}` }, name))),
    most && h("div", { class: "chart-most small muted" }, most),
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...content),
    h("div", { class: "row row-apart small muted" }, h("span", {}, ends[0]), h("span", {}, ends[1])),
  );
}

/**
 * Lines over time, the newest value at the right.
 *
 * @param {object} options
 * @param {string} options.label what the picture shows
 * @param {{name: string, kind: Kind, values: (number | null)[]}[]} options.lines each of a value for each time; null
 *   where there is none
 * @param {number[]} options.times
 * @param {(value: number) => string} options.format
 * @param {number} [options.least] what the upper end stands for at least
 */
export function lineChart({ label, lines, times, format, least = 1 }) {
  const most = Math.max(least, ...lines.flatMap((line) => line.values.map((value) => value ?? 0)));
  const x = (/** @type {number} */ index) => ((index * WIDTH) / Math.max(1, times.length - 1)).toFixed(1);
  const y = (/** @type {number} */ value) => (HEIGHT - (value / most) * (HEIGHT - 4) - 2).toFixed(1);
  const grid = [0, 0.5, 1].map((share) => s("line", { x1: 0, x2: WIDTH, y1: HEIGHT * share, y2: HEIGHT * share, class: "chart-grid", "vector-effect": "non-scaling-stroke" }));
  const drawn = lines.flatMap(({ kind, values }) =>
    unbroken(values).map((part) =>
      s("polyline", { points: part.map(([index, value]) => `${x(index)},${y(value)}`).join(" "), class: `chart-line chart-${kind}`, "vector-effect": "non-scaling-stroke" }),
    ),
  );
  const [first, last] = [times[0], times.at(-1)];
  return figure({
    label,
    legend: lines.map((line) => [line.kind, line.name]),
    most: format(most),
    ends: [first === undefined || first === last ? "" : clock.format(first), last === undefined ? "not yet measured" : clock.format(last)],
    content: [...grid, ...drawn],
  });
}

/**
 * The parts of a line between those where it has no values. One value alone is drawn as a dash.
 *
 * @param {(number | null)[]} values
 */
function unbroken(values) {
  /** @type {[number, number][][]} */
  const parts = [];
  values.forEach((value, index) => {
    if (value === null) {
      return;
    }
    const part = parts.at(-1);
    if (part && values[index - 1] !== null) {
      part.push([index, value]);
    } else {
      parts.push([[index, value]]);
    }
  });
  const end = Math.max(0, values.length - 1);
  return parts.map((part) => {
    const [only] = part;
    return part.length > 1 || !only ? part : /** @type {[number, number][]} */ ([[Math.max(0, only[0] - 0.4), only[1]], [Math.min(end, only[0] + 0.4), only[1]]]);
  });
}

/**
 * What happened when, up to now.
 *
 * @param {object} options
 * @param {string} options.label what the picture shows
 * @param {{at: number, kind: Kind}[]} options.marks at least one
 * @param {Partial<Record<Kind, string>>} options.kinds what each kind means
 */
export function timeline({ label, marks, kinds }) {
  const first = Math.min(...marks.map((mark) => mark.at));
  const length = Math.max(1, Date.now() - first);
  const drawn = marks.map(({ at, kind }) => {
    const x = (2 + ((at - first) / length) * (WIDTH - 4)).toFixed(1);
    // Refused ones do not reach the ground.
    const points = `${x},${kind === "bad" ? HEIGHT * 0.25 : 0} ${x},${kind === "bad" ? HEIGHT * 0.75 : HEIGHT}`;
    return s("polyline", { points, class: `chart-line chart-${kind}`, "vector-effect": "non-scaling-stroke" });
  });
  const ground = s("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT, class: "chart-grid", "vector-effect": "non-scaling-stroke" });
  const element = figure({
    label,
    legend: /** @type {[Kind, string][]} */ (Object.entries(kinds)),
    ends: [dated.format(first), "now"],
    content: [ground, ...drawn],
  });
  element.classList.add("chart-low");
  return element;
}

/**
 * A table whose rows have bars.
 *
 * @template Row
 * @param {object} options
 * @param {string} options.caption
 * @param {Row[]} options.rows
 * @param {(row: Row) => number} options.value
 * @param {Kind} options.kind
 * @param {import("../shared/table.js").Column<Row>[]} options.columns
 */
export function barTable({ caption, rows, value, kind, columns }) {
  const most = Math.max(...rows.map(value), Number.MIN_VALUE);
  const bar = (/** @type {Row} */ row) =>
    s(
      "svg",
      { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" },
      s("rect", { x: 0, y: 0, height: 10, width: Math.max(0.5, (value(row) / most) * 100).toFixed(2), class: `chart-${kind}` }),
    );
  return table({ caption, rows, dense: true, columns: [...columns, { title: "In proportion", cell: bar }] });
}
