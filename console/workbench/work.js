/** Work on a folder that takes a while: its progress, and a button that stops it. */

import { button } from "../shared/button.js";
import { fill, h } from "../shared/dom.js";

/**
 * @param {import("./main.js").Context} context
 * @param {string} path
 * @param {unknown} body
 * @param {HTMLElement} place where the progress is shown
 * @param {string} words
 * @returns {Promise<any>} the result; null if it was stopped
 */
export async function work({ api, signal }, path, body, place, words) {
  const stop = new AbortController();
  const bar = h("progress", { "aria-label": words });
  const line = h("span", { class: "muted" }, words);
  const press = button("Stop", { small: true, onclick: () => stop.abort() });
  fill(place, h("div", { class: "row", role: "status" }, bar, line), press);
  signal.addEventListener("abort", () => stop.abort(), { once: true });
  try {
    return await api.work(path, {
      body,
      signal: stop.signal,
      onprogress: ({ done, known }) => {
        if (known > 0) {
          bar.max = known;
          bar.value = done;
        }
      },
    });
  } catch (error) {
    if (stop.signal.aborted) {
      return null;
    }
    throw error;
  } finally {
    fill(place);
  }
}
