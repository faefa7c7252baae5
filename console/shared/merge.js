/** Two changes of one value put together, where they do not contradict each other. */

/** Two changes of the same. */
export const CLASH = Symbol("clash");

/**
 * @param {any} base what both began with
 * @param {any} theirs
 * @param {any} mine
 * @returns {any} `CLASH` where only a person can choose
 */
export function merged(base, theirs, mine) {
  if (same(theirs, base) || same(theirs, mine)) {
    return mine;
  }
  if (same(mine, base)) {
    return theirs;
  }
  if ([base, theirs, mine].every(isChoice)) {
    const kept = theirs.filter((/** @type {string} */ each) => mine.includes(each) || !base.includes(each));
    return [...kept, ...mine.filter((/** @type {string} */ each) => !base.includes(each) && !kept.includes(each))];
  }
  return [base, theirs, mine].every(isObject) ? mergedMembers(base, theirs, mine) : CLASH;
}

/**
 * @param {Record<string, any>} base
 * @param {Record<string, any>} theirs
 * @param {Record<string, any>} mine
 */
function mergedMembers(base, theirs, mine) {
  /** @type {[string, any][]} */
  const members = [];
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const value = merged(own(base, name), own(theirs, name), own(mine, name));
    if (value === CLASH) {
      return CLASH;
    }
    if (value !== undefined) {
      members.push([name, value]);
    }
  }
  return Object.fromEntries(members);
}

/**
 * `__proto__` is a name like any other.
 *
 * @param {Record<string, any>} object
 * @param {string} name
 */
function own(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/**
 * Whatever the order of members, and of what is chosen.
 *
 * @param {any} one
 * @param {any} other
 */
export function same(one, other) {
  return one === other || canonical(one) === canonical(other);
}

/** @param {any} value */
function canonical(value) {
  const sorted = (/** @type {string} */ _, /** @type {any} */ each) =>
    isChoice(each) ? each.toSorted() : isObject(each) ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1))) : each;
  return JSON.stringify(value, sorted);
}

/** @param {any} value */
function isChoice(value) {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

/** @param {any} value */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
