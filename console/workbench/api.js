/**
 * The workbench's API, called by an operator. Who is signed in is in a cookie that no script can read; the operator
 * token is exchanged for it and kept nowhere.
 */

import { read, target } from "../shared/answer.js";
import { ApiError, AwayError, SignedOutError } from "../shared/errors.js";
import { events } from "./events.js";

/**
 * @typedef {object} Options
 * @property {unknown} [body]
 * @property {Record<string, string | number | boolean | null | undefined>} [query]
 * @property {AbortSignal} [signal]
 *
 * @typedef {{done: number, known: number}} Progress `known` is 0 until it is known
 */

export class Api {
  #connection;
  /** @type {Promise<void> | null} */
  #signingIn = null;
  #channel = new BroadcastChannel("charter-workbench");

  /**
   * Asked for when a session has ended: resolves once somebody has signed in again, and rejects otherwise.
   * @type {() => Promise<void>}
   */
  reauthenticate = () => Promise.reject(new SignedOutError());
  /** Told when another tab signs out. */
  onSignedOut = () => {};
  /** Told at each answer that only a session gives. */
  onAnswer = () => {};

  /** @param {import("../shared/connection.js").Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.#channel.onmessage = () => this.onSignedOut();
  }

  /** @param {string} token the operator's */
  async signIn(token) {
    await read(await this.#send("POST", "/session", {}, { authorization: `Bearer ${token}` }));
    this.onAnswer();
  }

  async signOut() {
    try {
      await read(await this.#send("DELETE", "/session", {}));
    } finally {
      this.#channel.postMessage("signed-out");
    }
  }

  /**
   * @param {string} path
   * @param {Omit<Options, "body">} [options]
   * @returns {Promise<any>}
   */
  async get(path, options = {}) {
    return (await read(await this.#ask("GET", path, options))).data;
  }

  /**
   * Asks something that needs a body. Nothing here changes anything, so that it is asked again as reads are.
   *
   * @param {string} path
   * @param {Options} options
   * @returns {Promise<any>}
   */
  async post(path, options) {
    return (await read(await this.#ask("POST", path, options))).data;
  }

  /**
   * The text of an answer that is none of JSON.
   *
   * @param {string} path
   * @param {Options} [options]
   */
  async text(path, options = {}) {
    return (await this.#ask("GET", path, options)).text();
  }

  /**
   * Work that tells of its progress (server-sent events).
   *
   * @param {string} path
   * @param {Options & {onprogress: (progress: Progress) => void}} options
   * @returns {Promise<any>} the result
   */
  async work(path, { onprogress, ...options }) {
    const response = await this.#ask("POST", path, options);
    for await (const { event, data } of events(response)) {
      const told = JSON.parse(data);
      if (event === "progress") {
        onprogress(told);
      } else if (event === "error") {
        throw new ApiError(503, told.error, null);
      } else if (event === "result") {
        return told;
      }
    }
    throw new AwayError();
  }

  /**
   * An answer that is no error, after signing in again if need be.
   *
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   * @returns {Promise<Response>}
   */
  async #ask(method, path, options) {
    for (;;) {
      const response = await this.#reached(method, path, options);
      if (response.ok) {
        this.onAnswer();
        return response;
      }
      if (response.status !== 401) {
        await read(response);
      }
      this.#signingIn ??= this.reauthenticate().finally(() => {
        this.#signingIn = null;
      });
      await this.#signingIn;
    }
  }

  /**
   * Tries again while the service is away.
   *
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   */
  async #reached(method, path, options) {
    for (;;) {
      try {
        const response = await this.#send(method, path, options);
        this.#connection.answered();
        return response;
      } catch (error) {
        if (!(error instanceof AwayError)) {
          throw error;
        }
        this.#connection.lost();
        await this.#connection.back(options.signal);
      }
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   * @param {Record<string, string>} [headers]
   */
  async #send(method, path, { body, query, signal }, headers = {}) {
    try {
      return await fetch(target(path, query), {
        method,
        headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      throw signal?.aborted ? error : new AwayError();
    }
  }
}
