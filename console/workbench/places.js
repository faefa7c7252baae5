/** Policies and where they stand. */

import { h } from "../shared/dom.js";
import { code, text } from "../shared/text.js";

/**
 * @typedef {{id: string, effect: string, file: string, line: number}} Policy
 * @typedef {{name: string, text: string | null, removed?: boolean}} File
 * @typedef {{type: string, id: string}} Entity
 */

/**
 * The address of a page that is about a domain's policies, null being the built-in ones.
 *
 * @param {string} path
 * @param {string | null | undefined} domain
 * @param {Record<string, string> | URLSearchParams} [given]
 */
export function about(path, domain, given) {
  const query = new URLSearchParams(given);
  if (domain) {
    query.set("domain", domain);
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

/**
 * A link to a line of the policies in force.
 *
 * @param {string} file
 * @param {number} line
 * @param {string | null} [domain]
 */
export function placeLink(file, line, domain) {
  if (!file) {
    return text(null);
  }
  const href = about("/workbench/policies", domain, { file, line: String(line) });
  return h("a", { href, class: "mono" }, text(`${file}:${line}`));
}

/**
 * Policies of a finding, each with its place: `roles.cedar:6`.
 *
 * @param {{policy: string, place: string}[]} policies
 */
export function placed(policies) {
  return h(
    "ul",
    { class: "bare" },
    policies.map(({ policy, place }) => h("li", {}, code(policy), " ", h("span", { class: "small muted" }, text(place)))),
  );
}

/**
 * A digest: its beginning, the whole on hover.
 *
 * @param {string | null | undefined} value
 */
export function digest(value) {
  return value ? h("code", { title: value, class: "short" }, text(value.slice(0, 12))) : text(null);
}

/** @param {Entity} entity */
export function entity({ type, id }) {
  return h("span", { class: "entity-ref" }, h("span", { class: "small muted" }, text(type), " "), code(id));
}

/**
 * A question as the pages that ask one find it in their address.
 *
 * @typedef {Entity & {properties?: object}} AskedEntity
 *
 * @param {{subject?: AskedEntity, action?: {name: string}, resource?: AskedEntity, context?: object}} question
 */
export function questionQuery({ subject, action, resource, context }) {
  const given = [
    ...(subject ? [["subject.type", subject.type], ["subject.id", subject.id], ["subject.properties", json(subject.properties)]] : []),
    ["permission", action?.name],
    ...(resource ? [["resource.type", resource.type], ["resource.id", resource.id], ["resource.properties", json(resource.properties)]] : []),
    ["context", json(context)],
  ];
  return new URLSearchParams(given.flatMap(([name, value]) => (name && value ? [[name, value]] : [])));
}

/** @param {object | undefined} value nothing is left of an empty one */
function json(value) {
  return value && Object.keys(value).length > 0 ? JSON.stringify(value) : "";
}
