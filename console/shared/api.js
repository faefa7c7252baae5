/**
 * What the APIs of both apps have in common: one way to send a request, trying again while the service is away, and
 * signing in again, once for all requests that wait for it.
 */

import { target } from "./answer.js";
import { isHealthy } from "./connection.js";
import { ApiError, AwayError, SignedOutError } from "./errors.js";

/**
 * @typedef {object} Options
 * @property {unknown} [body]
 * @property {Record<string, string | number | boolean | null | undefined>} [query]
 * @property {AbortSignal} [signal]
 */

/** Where the service does not say when. */
const RETRY_SECONDS = 5;
/** After which a request without an answer makes one ask whether the service answers at all. */
const DOUBT_MS = 8_000;
const SIGNED_OUT = "signed-out";

export class ApiCore {
  #connection;
  #channel;
  /** @type {Promise<void> | null} */
  #signingIn = null;

  /**
   * Asked for when a session has ended: resolves once the same person has signed in again, and rejects otherwise.
   * @type {() => Promise<void>}
   */
  reauthenticate = () => Promise.reject(new SignedOutError());
  /** Told when another tab signs out. */
  onSignedOut = () => {};

  /**
   * @param {import("./connection.js").Connection} connection
   * @param {string} channel by which the app's tabs tell each other
   */
  constructor(connection, channel) {
    this.#connection = connection;
    this.#channel = new BroadcastChannel(channel);
    this.#channel.onmessage = ({ data }) => {
      if (data === SIGNED_OUT) {
        this.forget();
        this.onSignedOut();
      }
    };
  }

  /** Drops what is kept of a session that has ended. */
  forget() {}

  /** To the other tabs. */
  tellSignedOut() {
    this.#channel.postMessage(SIGNED_OUT);
  }

  signInAgain() {
    this.#signingIn ??= this.reauthenticate().finally(() => {
      this.#signingIn = null;
    });
    return this.#signingIn;
  }

  /**
   * Runs something until the service answers; only `once` what may have been done although no answer came.
   *
   * @template T
   * @param {() => Promise<T>} run
   * @param {{signal?: AbortSignal, once?: boolean}} [options]
   * @returns {Promise<T>}
   */
  async whileAway(run, { signal, once = false } = {}) {
    for (;;) {
      try {
        const answer = await run();
        this.#connection.answered();
        return answer;
      } catch (error) {
        if (error instanceof ApiError) {
          this.#connection.answered();
        }
        if (!(error instanceof AwayError)) {
          throw error;
        }
        this.#connection.lost();
        if (once) {
          throw error;
        }
        await this.#connection.back(signal);
      }
    }
  }

  /**
   * After an error that may pass: resolves when it is worth asking again.
   *
   * @param {unknown} error
   * @param {AbortSignal} signal
   */
  async worthAsking(error, signal) {
    if (error instanceof AwayError) {
      this.#connection.lost();
      await this.#connection.back(signal);
    } else {
      const seconds = (error instanceof ApiError && error.retryAfter) || RETRY_SECONDS;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    }
  }

  /**
   * Sends a request to this service, and nowhere else.
   *
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   * @param {Record<string, string>} [headers]
   * @returns {Promise<Response>}
   * @throws {AwayError}
   */
  async send(method, path, { body, query, signal }, headers = {}) {
    const hung = new AbortController();
    const doubt = setInterval(async () => (await isHealthy()) || hung.abort(), DOUBT_MS);
    try {
      return await fetch(target(path, query), {
        method,
        headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, hung.signal]) : hung.signal,
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      throw signal?.aborted ? error : new AwayError();
    } finally {
      clearInterval(doubt);
    }
  }
}
