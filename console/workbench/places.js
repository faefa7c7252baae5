/** Policies and where they stand. */

import { h } from "../shared/dom.js";
import { code, text } from "../shared/text.js";

/**
 * @typedef {{id: string, effect: string, file: string, line: number}} Policy
 * @typedef {{name: string, text: string | null, removed?: boolean}} File
 * @typedef {{type: string, id: string}} Entity
 */

/**
 * A link to a line of the policies in force.
 *
 * @param {string} file
 * @param {number} line
 */
export function placeLink(file, line) {
  if (!file) {
    return text(null);
  }
  const query = new URLSearchParams({ file, line: String(line) });
  return h("a", { href: `/workbench/policies?${query}`, class: "mono" }, text(`${file}:${line}`));
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
 * @param {{subject?: Entity, action?: {name: string}, resource?: Entity}} question
 */
export function questionQuery({ subject, action, resource }) {
  return new URLSearchParams({
    ...(subject && { "subject.type": subject.type, "subject.id": subject.id }),
    ...(action && { permission: action.name }),
    ...(resource && { "resource.type": resource.type, "resource.id": resource.id }),
  });
}
