/** What a domain's schema names, for suggestions: its types and actions. It is read roughly; the service reads it whole. */

/** @typedef {{subjects: string[], resources: string[], actions: string[]}} Names */

const TOKENS = /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|[A-Za-z_]\w*(?:::\w+)*|[^\s]/g;

/**
 * @param {string} schema in Cedar's own syntax
 * @returns {Names}
 */
export function namesOf(schema) {
  const tokens = (schema.match(TOKENS) ?? []).filter((token) => !token.startsWith("//"));
  /** @type {Record<"entity" | "action" | "principal" | "resource", Set<string>>} */
  const found = { entity: new Set(), action: new Set(), principal: new Set(), resource: new Set() };
  let namespace = "";
  let depth = 0;
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] ?? "";
    const next = tokens[at + 1] ?? "";
    if (token === "namespace" && depth === 0) {
      namespace = next;
    } else if (token === "{" || token === "}") {
      depth += token === "{" ? 1 : -1;
      namespace = depth === 0 ? "" : namespace;
    } else if ((token === "entity" || token === "action") && depth === (namespace ? 1 : 0)) {
      listed(tokens, at + 1).forEach((name) => found[token].add(token === "entity" && namespace ? `${namespace}::${name}` : name));
    } else if ((token === "principal" || token === "resource") && next === ":") {
      const names = tokens[at + 2] === "[" ? listed(tokens, at + 3) : [tokens[at + 2] ?? ""];
      names.forEach((name) => found[token].add(namespace && found.entity.has(`${namespace}::${name}`) ? `${namespace}::${name}` : name));
    }
  }
  const [subjects, resources] = [found.principal, found.resource].map((types) => [...(types.size > 0 ? types : found.entity)]);
  return { subjects: subjects ?? [], resources: resources ?? [], actions: [...found.action] };
}

/**
 * Names with commas between them.
 *
 * @param {string[]} tokens
 * @param {number} from
 */
function listed(tokens, from) {
  const names = [];
  for (let at = from; at < tokens.length; at += 2) {
    const token = tokens[at] ?? "";
    names.push(token.startsWith('"') ? token.slice(1, -1) : token);
    if (tokens[at + 1] !== ",") {
      break;
    }
  }
  return names;
}
