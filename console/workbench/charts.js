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

/**
 * Lines over time.
 *
 * @param {object} options
 * @param {string} options.label what the picture shows
 * @param {{name: string, kind: "good" | "bad" | "plain", values: number[]}[]} options.lines of one length
 * @param {string} options.from said at the left end
 * @param {string} options.to said at the right end
 * @param {(value: number) => string} options.format
 */
export function lineChart({ label, lines, from, to, format }) {
  const most = Math.max(1, ...lines.flatMap((line) => line.values));
  const points = (/** @type {number[]} */ values) =>
    values.map((value, index) => `${((index * WIDTH) / Math.max(1, values.length - 1)).toFixed(1)},${(HEIGHT - (value / most) * (HEIGHT - 4) - 2).toFixed(1)}`).join(" ");
  const grid = [0, 0.5, 1].map((share) => s("line", { x1: 0, x2: WIDTH, y1: HEIGHT * share, y2: HEIGHT * share, class: "chart-grid", "vector-effect": "non-scaling-stroke" }));
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", { class: "row" }, lines.map((line) => h("span", { class: `legend legend-${line.kind}` }, line.name))),
    h("div", { class: "chart-most small muted" }, format(most)),
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      ...grid,
      ...lines.map((line) => s("polyline", { points: points(line.values), class: `chart-line chart-${line.kind}`, "vector-effect": "non-scaling-stroke" })),
    ),
    h("div", { class: "row row-apart small muted" }, h("span", {}, from), h("span", {}, to)),
  );
}

/**
 * A table whose rows have bars.
 *
 * @template Row
 * @param {object} options
 * @param {string} options.caption
 * @param {Row[]} options.rows
 * @param {(row: Row) => number} options.value
 * @param {"good" | "bad" | "plain"} options.kind
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
