/** What happened between two looks at the figures. */

import { quantile, sums } from "./metrics.js";

const DECISIONS = "charter_authz_decisions_total";
const LATENCY = "charter_http_request_seconds_bucket";

/** @typedef {{le: number, count: number}} Bucket cumulative */

/**
 * @typedef {object} Point of one interval; figures of a second
 * @property {number} at its end
 * @property {number} allow
 * @property {number} deny
 * @property {Map<string, number>} denials by permission
 * @property {{half: number, most: number, nearly: number} | null} latency seconds within which 50, 90 and 99 % of all
 *   requests were answered; null if none was
 */

/** @param {import("./metrics.js").Sample[]} all */
export function denialsByPermission(all) {
  return sums(all, DECISIONS, "permission", (labels) => labels.decision === "deny");
}

/**
 * The latency's buckets by route.
 *
 * @param {import("./metrics.js").Sample[]} all
 */
export function bucketsByRoute(all) {
  /** @type {Map<string, Bucket[]>} */
  const routes = new Map();
  for (const { labels, value } of all.filter((sample) => sample.name === LATENCY)) {
    const buckets = routes.get(labels.route ?? "") ?? [];
    buckets.push({ le: Number(labels.le?.replace("+Inf", "Infinity")), count: value });
    routes.set(labels.route ?? "", buckets);
  }
  return routes;
}

/**
 * Makes points of one look after the other.
 *
 * @param {import("./metrics.js").Sample[]} first
 */
export function measuring(first) {
  let last = { at: performance.now(), ...counts(first) };
  /** @param {import("./metrics.js").Sample[]} all */
  return (all) => {
    const now = { at: performance.now(), ...counts(all) };
    const seconds = (now.at - last.at) / 1000;
    // A process that was started anew counts from zero.
    const rate = (/** @type {number | undefined} */ after, /** @type {number | undefined} */ before) => Math.max(0, (after ?? 0) - (before ?? 0)) / seconds;
    const denials = [...now.denials].map(([permission, count]) => /** @type {[string, number]} */ ([permission, rate(count, last.denials.get(permission))]));
    /** @type {Point} */
    const point = {
      at: Date.now(),
      allow: rate(now.decided.get("allow"), last.decided.get("allow")),
      deny: rate(now.decided.get("deny"), last.decided.get("deny")),
      denials: new Map(denials),
      latency: latencyBetween(last.buckets, now.buckets),
    };
    last = now;
    return point;
  };
}

/** @param {import("./metrics.js").Sample[]} all */
function counts(all) {
  const decided = sums(all, DECISIONS, "decision");
  /** @type {Map<number, number>} of all routes, by their ends */
  const buckets = new Map();
  for (const { le, count } of [...bucketsByRoute(all).values()].flat()) {
    buckets.set(le, (buckets.get(le) ?? 0) + count);
  }
  return { decided, denials: denialsByPermission(all), buckets };
}

/**
 * @param {Map<number, number>} before
 * @param {Map<number, number>} after
 */
function latencyBetween(before, after) {
  const buckets = [...after].map(([le, count]) => ({ le, count: Math.max(0, count - (before.get(le) ?? 0)) }));
  buckets.sort((one, other) => one.le - other.le);
  if ((buckets.at(-1)?.count ?? 0) === 0) {
    return null;
  }
  return { half: quantile(buckets, 0.5), most: quantile(buckets, 0.9), nearly: quantile(buckets, 0.99) };
}
