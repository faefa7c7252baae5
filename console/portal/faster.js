/** Who made the last change of something, for one who was slower. */

import { time } from "../shared/time.js";
import { Names } from "./names.js";

/**
 * @param {Pick<import("./main.js").Context, "api" | "session">} context
 * @param {string} object its typed id
 * @returns {Promise<import("../shared/dom.js").Child>} nothing if this person may not read the audit record
 */
export async function whoWasFaster(context, object) {
  if (!context.session.can("audit:ListEvents")) {
    return null;
  }
  try {
    const { data } = await context.api.get("/audit-events", { query: { object, limit: 1 } });
    const [event] = data.results;
    return event ? ["By ", new Names(context).show(event.actor), ", ", time(event.at), "."] : null;
  } catch {
    // It is said without a name.
    return null;
  }
}
