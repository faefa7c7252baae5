/** Names of those who act: people by their address, programs by their name. They come when they are known. */

import { fill, h } from "../shared/dom.js";
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

/** Of whom this person may see. Who is not among them keeps the id. */
export class Names {
  /** @type {Map<string, Promise<string>>} */
  #known = new Map();
  #context;
  /** One after the other: a page may show many. */
  #last = Promise.resolve();

  /** @param {Pick<import("./main.js").Context, "api" | "session"> & {signal?: AbortSignal}} context */
  constructor(context) {
    this.#context = context;
    /** People, and the newest programs, with their names. */
    this.list = this.#readAll().catch(() => /** @type {[string, string][]} */ ([]));
  }

  /** @returns {Promise<[string, string][]>} */
  async #readAll() {
    const { api, session, signal } = this.#context;
    const read = async (/** @type {string} */ permission, /** @type {() => Promise<[string, string][]>} */ some) =>
      session.can(permission) ? some() : [];
    const query = { quantity: QUANTITY, include_inactive: true };
    const lists = await Promise.all([
      read("team:ListMembers", async () => {
        const { data } = await api.get("/api/portal/team", { signal });
        return data.map((/** @type {any} */ member) => [typedId("user", member.id), member.email]);
      }),
      read("service-accounts:ListServiceAccounts", async () => {
        const { data } = await api.get("/service-accounts", { query, signal });
        return data.results.map((/** @type {any} */ account) => [account.id, account.name]);
      }),
    ]);
    return lists.flat();
  }

  /**
   * @param {string} id
   * @returns {Promise<string>} the id where there is no name
   */
  async nameOf(id) {
    const name = new Map(await this.list).get(id);
    if (name !== undefined || !/^(sa|acc)-/.test(id)) {
      return name ?? id;
    }
    const known = this.#known.get(id) ?? this.#queue(id);
    this.#known.set(id, known);
    return known;
  }

  /** @param {string} id */
  #queue(id) {
    const read = this.#last.then(() => this.#readOne(id)).catch(() => id);
    this.#last = read.then(() => {});
    return read;
  }

  /** @param {string} id */
  async #readOne(id) {
    const { api, signal } = this.#context;
    const path = id.startsWith("sa-") ? "/service-accounts" : "/accounts";
    return (await api.get(`${path}/${encodeURIComponent(id)}`, { signal })).data.name;
  }

  /**
   * The name, or the id where there is none.
   *
   * @param {string} id
   */
  show(id) {
    const element = h("span", { title: id }, text(id));
    this.nameOf(id).then((name) => fill(element, text(name)));
    return element;
  }

  /**
   * The name and the id.
   *
   * @param {string} id
   */
  showWithId(id) {
    const element = h("span", {}, code(id));
    this.nameOf(id).then((name) => name !== id && fill(element, text(name), " ", code(id)));
    return element;
  }
}
