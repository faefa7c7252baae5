/** Metadata as JSON to edit, and the merge patch (RFC 7396) that makes the one of the other. */

import { Invalid, textField } from "../shared/field.js";
import { isObject } from "../shared/merge.js";
import { escapedJson } from "../shared/text.js";
import { hiddenFault } from "./hidden-fault.js";

/** @typedef {Record<string, any>} Members */

/** @param {Members} value */
export function metadataField(value) {
  const format = (/** @type {Members} */ given) => (Object.keys(given ?? {}).length ? escapedJson(JSON.stringify(given, null, 2)) : "");
  return textField({
    name: "metadata",
    label: "Metadata",
    type: "area",
    mono: true,
    optional: true,
    value: format(value),
    hint: 'A JSON object, such as {"team": "billing"}. For your own use; policies do not read it.',
    format,
    parse,
  });
}

/**
 * @param {string} given
 * @returns {Members}
 */
function parse(given) {
  if (given === "") {
    return {};
  }
  let value;
  try {
    value = JSON.parse(given);
  } catch {
    throw new Invalid('That is no JSON. It starts with { and ends with }, and names stand in "quotes".');
  }
  const hidden = hiddenFault(given);
  if (hidden) {
    throw new Invalid(hidden);
  }
  if (!isObject(value)) {
    throw new Invalid("Metadata is a JSON object: it starts with { and ends with }.");
  }
  const nothing = nullMember(value);
  if (nothing) {
    throw new Invalid(`${JSON.stringify(nothing)} is null, and metadata keeps no null. Leave the name out to remove it.`);
  }
  return value;
}

/**
 * The name of a member that is null: in a merge patch that would remove it. Lists are sent as a whole.
 *
 * @param {Members} value
 * @returns {string | undefined}
 */
function nullMember(value) {
  for (const [name, member] of Object.entries(value)) {
    const found = member === null ? name : isObject(member) && nullMember(member);
    if (found) {
      return found;
    }
  }
  return undefined;
}

/**
 * @param {any} before
 * @param {any} after
 * @returns {any}
 */
export function mergePatch(before, after) {
  if (!isObject(before) || !isObject(after)) {
    return after;
  }
  /** @type {Members} without a prototype: `__proto__` is a name like any other */
  const patch = Object.create(null);
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (!Object.hasOwn(after, name)) {
      patch[name] = null;
    } else if (JSON.stringify(before[name]) !== JSON.stringify(after[name])) {
      patch[name] = Object.hasOwn(before, name) ? mergePatch(before[name], after[name]) : after[name];
    }
  }
  return patch;
}
