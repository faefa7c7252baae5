/**
 * The workbench's API, called by an operator. Who is signed in is in a cookie that no script can read; the operator
 * token is exchanged for it and kept nowhere.
 */

import { read } from "../shared/answer.js";
import { ApiCore } from "../shared/api.js";
import { ApiError, AwayError } from "../shared/errors.js";
import { events } from "./events.js";

/**
 * @typedef {import("../shared/api.js").Options} Options
 *
 * @typedef {{done: number, known: number}} Progress `known` is 0 until it is known
 */

export class Api extends ApiCore {
  /** Told at each answer that only a session gives. */
  onAnswer = () => {};

  /** @param {import("../shared/connection.js").Connection} connection */
  constructor(connection) {
    super(connection, "charter-workbench");
  }

  /** @param {string} token the operator's */
  async signIn(token) {
    await read(await this.send("POST", "/session", {}, { authorization: `Bearer ${token}` }));
    this.onAnswer();
  }

  async signOut() {
    try {
      await read(await this.send("DELETE", "/session", {}));
    } finally {
      this.tellSignedOut();
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
   * The text of what anybody on this listener may read; it says nothing of a session.
   *
   * @param {string} path
   * @param {Options} [options]
   */
  async text(path, options = {}) {
    const ask = async () => {
      const response = await this.send("GET", path, options);
      if (!response.ok) {
        await read(response);
      }
      return response;
    };
    return (await this.whileAway(ask, options)).text();
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
    const ask = async () => {
      const response = await this.send(method, path, options);
      if (!response.ok && response.status !== 401) {
        await read(response);
      }
      return response;
    };
    for (;;) {
      const response = await this.whileAway(ask, options);
      if (response.ok) {
        this.onAnswer();
        return response;
      }
      await this.signInAgain();
    }
  }
}
