/** Names that questions need: permissions of the schema in force, types of records. */

import { namesOf } from "./schema.js";

const SUBJECTS = ["ServiceAccount", "User"];
const RESOURCES = ["Organization", "Account", "ServiceAccount", "AccessKey", "User", "Role", "Permission"];

/**
 * What may be asked of the policies in force, for suggestions.
 *
 * @param {import("./api.js").Api} api
 * @param {string | null} domain
 * @param {AbortSignal} signal
 * @returns {Promise<{permissions: string[], subjects: string[], resources: string[], files: import("./places.js").File[],
 *   shadow: import("./places.js").File[] | null}>} `shadow`: the files that differ there; null if there is none
 */
export async function catalogue(api, domain, signal) {
  const { in_force: inForce, shadow } = await api.get("/policies", { query: { domain }, signal });
  const files = inForce?.files ?? [];
  const schema = files.find((/** @type {any} */ file) => file.name === "schema.cedarschema")?.text ?? "";
  const { actions, ...types } = namesOf(schema);
  return {
    // The built-in schema has groups of actions that nobody asks about.
    permissions: domain ? actions : actions.filter((name) => /^[a-z-]+:[A-Za-z]+$/.test(name)),
    ...(domain ? types : { subjects: SUBJECTS, resources: RESOURCES }),
    files,
    shadow: shadow?.digest ? shadow.changed : null,
  };
}

/**
 * Who acted lately, and on what, for suggestions: the ids by type.
 *
 * @param {import("./api.js").Api} api
 * @param {string | null} domain
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, Set<string>>>} nothing where they cannot be read
 */
export async function seenEntities(api, domain, signal) {
  /** @type {Map<string, Set<string>>} */
  const seen = new Map();
  const { results } = await api.get("/decisions", { query: { domain, limit: 200 }, signal }).catch(() => ({ results: [] }));
  for (const { type, id } of results.flatMap((/** @type {any} */ it) => [it.principal, it.resource])) {
    seen.set(type, (seen.get(type) ?? new Set()).add(id));
  }
  return seen;
}
