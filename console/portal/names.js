/** Names of those who act: people by their address, programs by their name. */

import { h } from "../shared/dom.js";
import { code, text } from "../shared/text.js";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const QUANTITY = 100;

/**
 * The typed id of a UUID: the prefix, and its 128 bits in 26 characters of Crockford's base32.
 *
 * @param {string} prefix
 * @param {string} uuid
 */
export function typedId(prefix, uuid) {
  let bits = BigInt(`0x${uuid.replaceAll("-", "")}`);
  let characters = "";
  for (let place = 0; place < 26; place += 1) {
    characters = ALPHABET.charAt(Number(bits & 31n)) + characters;
    bits >>= 5n;
  }
  return `${prefix}-${characters}`;
}

/**
 * Reads whom this person may see. Who is not among them keeps the id.
 *
 * @param {Pick<import("./main.js").Context, "api" | "session">} context
 * @returns {Promise<Map<string, string>>}
 */
export async function readActors({ api, session }) {
  /** @type {Map<string, string>} */
  const names = new Map();
  if (session.can("team:ListMembers")) {
    const { data } = await api.get("/api/portal/team");
    for (const { id, email } of data) {
      names.set(typedId("user", id), email);
    }
  }
  if (session.can("service-accounts:ListServiceAccounts")) {
    const query = { quantity: QUANTITY, include_inactive: true };
    const { data } = await api.get("/service-accounts", { query });
    for (const { id, name } of data.results) {
      names.set(id, name);
    }
  }
  return names;
}

/**
 * The name, or the id where there is none.
 *
 * @param {Map<string, string>} names
 * @param {string} id
 */
export function nameOf(names, id) {
  return h("span", { title: id }, text(names.get(id) ?? id));
}

/**
 * The name and the id.
 *
 * @param {Map<string, string>} names
 * @param {string} id
 */
export function nameAndId(names, id) {
  const name = names.get(id);
  return name ? [text(name), " ", code(id)] : code(id);
}
