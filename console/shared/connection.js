/** Whether the service answers. While it does not, a line says so, and it is asked again and again. */

import { fill } from "./dom.js";

const FIRST_MS = 1_000;
const LONGEST_MS = 15_000;
/** For which an answer about its health is waited for. */
const HEALTH_MS = 5_000;

export class Connection {
  #line;
  #delay = FIRST_MS;
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {HTMLElement} line where it is said; a live region */
  constructor(line) {
    this.#line = line;
    addEventListener("online", () => this.#timer !== null && this.#ask());
  }

  answered() {
    if (this.#timer === null) {
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#delay = FIRST_MS;
    fill(this.#line);
    for (const resolve of this.#waiting.splice(0)) {
      resolve();
    }
  }

  lost() {
    if (this.#timer !== null) {
      return;
    }
    fill(this.#line, "Charter cannot be reached. Trying again.");
    this.#later();
  }

  /**
   * Resolves when the service answers again.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>}
   */
  back(signal) {
    if (this.#timer === null) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  #later() {
    this.#timer = setTimeout(() => this.#ask(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LONGEST_MS);
  }

  async #ask() {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    if (await isHealthy()) {
      this.answered();
    } else {
      this.#later();
    }
  }
}

/** Whether the service answers at all: one that hangs takes requests and does not. */
export async function isHealthy() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(HEALTH_MS) })).ok;
  } catch {
    return false;
  }
}
