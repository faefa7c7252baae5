/** What is asked again and again while a page is shown and seen. */

import { SignedOutError } from "../shared/errors.js";

/**
 * @param {number} ms between an answer and the next question
 * @param {AbortSignal} signal ends it
 * @param {() => Promise<void>} run
 */
export function repeat(ms, signal, run) {
  const again = () => {
    const timer = setTimeout(async () => {
      try {
        if (!document.hidden) {
          await run();
        }
      } catch (error) {
        if (signal.aborted || error instanceof SignedOutError) {
          return;
        }
        reportError(error);
      }
      if (!signal.aborted) {
        again();
      }
    }, ms);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  };
  again();
}
