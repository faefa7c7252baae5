/** Permissions in the groups that their names begin with. */

/**
 * @template {{name: string}} Item
 * @param {Item[]} items
 * @returns {[string, Item[]][]}
 */
export function byGroup(items) {
  /** @type {Map<string, Item[]>} */
  const groups = new Map();
  for (const item of items) {
    const group = item.name.split(":")[0]?.replaceAll("-", " ") ?? "";
    const label = group.charAt(0).toUpperCase() + group.slice(1);
    groups.set(label, [...(groups.get(label) ?? []), item]);
  }
  return [...groups];
}
