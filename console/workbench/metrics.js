/** The service's figures as it exposes them (Prometheus text format 0.0.4). */

/** @typedef {{name: string, labels: Record<string, string>, value: number}} Sample */

/**
 * @param {string} exposed
 * @returns {Sample[]}
 */
export function samples(exposed) {
  return exposed.split("\n").flatMap((line) => {
    const parts = /^([a-z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!parts) {
      return [];
    }
    const labels = [...(parts[2] ?? "").matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)];
    return [
      {
        name: parts[1] ?? "",
        labels: Object.fromEntries(labels.map(([, name, value]) => [name, (value ?? "").replace(/\\(.)/g, "$1")])),
        value: Number(parts[3]?.replace("+Inf", "Infinity")),
      },
    ];
  });
}

/**
 * Sums of a counter by one label.
 *
 * @param {Sample[]} all
 * @param {string} name
 * @param {string} label
 * @param {(labels: Record<string, string>) => boolean} [which]
 */
export function sums(all, name, label, which = () => true) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { labels, value } of all.filter((sample) => sample.name === name && which(sample.labels))) {
    const key = labels[label] ?? "";
    found.set(key, (found.get(key) ?? 0) + value);
  }
  return found;
}

/**
 * Where this share of a histogram's values ends, in its unit: within a bucket as if they lay evenly.
 *
 * @param {{le: number, count: number}[]} buckets cumulative, ascending
 * @param {number} share from 0 to 1
 */
export function quantile(buckets, share) {
  const total = buckets.at(-1)?.count ?? 0;
  const rank = total * share;
  let [below, from] = [0, 0];
  for (const { le, count } of buckets) {
    if (count >= rank && count > below) {
      return Number.isFinite(le) ? from + ((le - from) * (rank - below)) / (count - below) : from;
    }
    [below, from] = [count, le];
  }
  return NaN;
}
