/** Names that questions need: permissions and roles of the schema, types of records. */

export const SUBJECTS = ["ServiceAccount", "User"];
export const RESOURCES = ["Organization", "Account", "ServiceAccount", "AccessKey", "User", "Role", "Permission"];

/**
 * The permissions that the schema in force names, for suggestions.
 *
 * @param {import("./api.js").Api} api
 * @param {AbortSignal} signal
 * @returns {Promise<{permissions: string[], files: import("./places.js").File[], hasShadow: boolean}>}
 */
export async function catalogue(api, signal) {
  const { in_force: inForce, shadow } = await api.get("/policies", { signal });
  const schema = inForce.files.find((/** @type {any} */ file) => file.name === "schema.cedarschema")?.text ?? "";
  const names = /** @type {string[]} */ (schema.match(/"[a-z-]+:[A-Za-z]+"/g) ?? []).map((name) => name.slice(1, -1));
  return { permissions: [...new Set(names)], files: inForce.files, hasShadow: Boolean(shadow?.digest) };
}

/**
 * Who acted lately, and on what, for suggestions: the ids by type.
 *
 * @param {import("./api.js").Api} api
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, Set<string>>>} nothing where they cannot be read
 */
export async function seenEntities(api, signal) {
  /** @type {Map<string, Set<string>>} */
  const seen = new Map();
  const { results } = await api.get("/decisions", { query: { limit: 200 }, signal }).catch(() => ({ results: [] }));
  for (const { type, id } of results.flatMap((/** @type {any} */ it) => [it.principal, it.resource])) {
    seen.set(type, (seen.get(type) ?? new Set()).add(id));
  }
  return seen;
}
