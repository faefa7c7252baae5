/**
 * The service's API, called as one person.
 *
 * The access token is in memory alone. Who is signed in stays so through the refresh cookie, which no script can
 * read. Reads are tried again while the service is away; writes are not, since they may have been done.
 */

import { read } from "../shared/answer.js";
import { ApiCore } from "../shared/api.js";
import { ApiError, SignedOutError } from "../shared/errors.js";

/**
 * @typedef {import("../shared/api.js").Options & {ifMatch?: string | null, anonymous?: boolean}} Options
 *   `anonymous`: without the access token
 *
 * @typedef {{data: any, etag: string | null}} Answer
 */

/** Of an access token that is no longer good, and of one that is not there. */
const RENEWABLE = new Set(["INVALID_TOKEN", "TOKEN_EXPIRED", "MISSING_CREDENTIALS"]);
/** A note that there may be a session; it holds no secret. */
const NOTE = "charter.signed-in";

export class Api extends ApiCore {
  /** @type {string | null} */
  #token = null;
  /** @type {Promise<boolean> | null} */
  #refreshing = null;
  /** @type {string | null} whose token it is */
  #person = null;

  /** Told when the cookie has become another person's. */
  onOtherPerson = () => {};

  /** @param {import("../shared/connection.js").Connection} connection */
  constructor(connection) {
    super(connection, "charter");
  }

  /** Whether there may be a session: worth asking. */
  get mayBeSignedIn() {
    return this.#token !== null || localStorage.getItem(NOTE) !== null;
  }

  /**
   * @param {string} email
   * @param {string} password
   */
  async signIn(email, password) {
    const body = { email, password };
    const { data } = await this.request("POST", "/api/auth/login", { body, anonymous: true });
    this.#keep(data.access_token);
  }

  /**
   * @param {string} token
   * @param {string} password
   */
  async acceptInvitation(token, password) {
    const body = { token, password };
    const { data } = await this.request("POST", "/api/auth/accept-invitation", { body, anonymous: true });
    this.#keep(data.access_token);
  }

  /** Ends the session here and in the other tabs. */
  async signOut() {
    try {
      if (this.#token !== null || (await this.#refresh())) {
        await this.#ask("POST", "/api/auth/logout", {});
      }
    } finally {
      this.forget();
      this.tellSignedOut();
    }
  }

  /**
   * @param {string} path
   * @param {Omit<Options, "body" | "ifMatch">} [options]
   */
  get(path, options) {
    return this.request("GET", path, options);
  }

  /**
   * Sends a request, with a fresh access token where the old one has ended.
   *
   * @param {string} method
   * @param {string} path
   * @param {Options} [options]
   * @returns {Promise<Answer>}
   * @throws {ApiError | import("../shared/errors.js").AwayError | SignedOutError}
   */
  async request(method, path, options = {}) {
    if (!options.anonymous && this.#token === null) {
      await this.#renew();
    }
    for (let renewed = 0; ; renewed += 1) {
      const used = this.#token;
      try {
        const ask = () => this.#ask(method, path, options);
        return await this.whileAway(ask, { signal: options.signal, once: method !== "GET" });
      } catch (error) {
        const ended = error instanceof ApiError && error.status === 401 && RENEWABLE.has(error.code);
        if (!ended || options.anonymous || renewed > 2) {
          throw error;
        }
        if (this.#token === used) {
          this.#token = null;
          await this.#renew();
        }
      }
    }
  }

  /** By the cookie; where the session has ended, by signing in again. */
  async #renew() {
    if (!(await this.#refresh())) {
      await this.signInAgain();
    }
  }

  /** One at a time. False if the session has ended. */
  #refresh() {
    this.#refreshing ??= this.#refreshOnce().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refreshOnce() {
    if (!this.mayBeSignedIn) {
      return false;
    }
    try {
      // Repeating is safe: a rotated token gets the same successor again for a while.
      const refresh = () => this.#ask("POST", "/api/auth/refresh", { anonymous: true });
      const { data } = await this.whileAway(refresh);
      const before = this.#person;
      this.#keep(data.access_token);
      if (before !== null && before !== this.#person) {
        this.#token = null;
        this.onOtherPerson();
        throw new SignedOutError();
      }
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.forget();
        return false;
      }
      throw error;
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   * @returns {Promise<Answer>}
   */
  async #ask(method, path, { ifMatch, anonymous, ...options }) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (ifMatch) {
      headers["if-match"] = ifMatch;
    }
    if (this.#token !== null && !anonymous) {
      headers.authorization = `Bearer ${this.#token}`;
    }
    return read(await this.send(method, path, options, headers));
  }

  /** @param {string} token */
  #keep(token) {
    this.#token = token;
    this.#person = subject(token);
    localStorage.setItem(NOTE, "yes");
  }

  /** @override */
  forget() {
    this.#token = null;
    localStorage.removeItem(NOTE);
  }
}

/**
 * The person of an access token (RFC 7519 section 4.1.2); only the service can tell whether it is true.
 *
 * @param {string} token
 * @returns {string}
 */
function subject(token) {
  const payload = token.split(".")[1] ?? "";
  return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))).sub;
}
