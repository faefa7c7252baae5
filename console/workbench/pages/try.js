/** A request tried against the policies in force, the shadow, or a dropped folder, with the difference. */

import { fill, h } from "../../shared/dom.js";
import { selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { page } from "../../shared/page.js";
import { card, empty, notice } from "../../shared/states.js";
import { text } from "../../shared/text.js";
import { badge } from "../../shared/button.js";
import { RESOURCES, SUBJECTS, catalogue, seenEntities } from "../catalogue.js";
import { entityField, permissionField } from "../entity-field.js";
import { explained, texts } from "../explanation.js";
import { folderBody, folderField } from "../folder.js";
import { digest, questionQuery } from "../places.js";

/** @param {import("../main.js").Context} context */
export async function show({ api, signal, query, router }) {
  const { permissions, files, hasShadow } = await catalogue(api, signal);
  const seen = seenEntities(api, signal);
  const nothing = empty("The answer appears here", "With the policies that decide, and the conditions that are false.");
  const result = h("div", { class: "stack stack-large", "aria-live": "polite" }, nothing);
  const folder = folderField({ inForce: async () => files.map((file) => file.name), onchange: (given) => given && against.write("sent") });
  const against = selectField({
    name: "policies",
    label: "Against",
    options: [
      { value: "in_force", label: "The policies in force" },
      ...(hasShadow ? [{ value: "shadow", label: "The shadow, and the difference" }] : []),
      { value: "sent", label: "The folder below, and the difference" },
    ],
  });
  const asking = form({
    fields: [
      entityField("subject", "Subject", SUBJECTS, query, { seen }),
      permissionField(permissions, query),
      entityField("resource", "Resource", RESOURCES, query, { seen }),
      textField({ name: "context/source_ip", label: "From the address", optional: true, mono: true, value: query.get("source_ip") ?? "" }),
      textField({ name: "context/now", label: "At the time", optional: true, mono: true, value: query.get("now") ?? "", hint: "Such as 2026-03-01T12:00:00Z; empty for now." }),
      against,
      { name: "folder", label: "Folder", element: folder.element, read: () => folder.read(), write: () => {}, fail: () => {}, focus: () => {} },
    ],
    submit: "Try",
    working: "Asking…",
    guarded: false,
    before: () => fill(result),
    send: async ({ subject, action, resource, "context/source_ip": ip, "context/now": now, policies, folder: sent }) => {
      if (policies === "sent" && !sent) {
        fill(result, notice("Drop a folder first, or ask the policies in force.", "warning"));
        return;
      }
      router.put({ ...Object.fromEntries(questionQuery({ subject, action, resource })), source_ip: ip, now });
      const context = { ...(ip && { source_ip: ip }), ...(now && { now }) };
      const question = { subject, action, resource, context };
      const ask = (/** @type {object} */ chosen) => api.post("/policies/evaluation", { body: { ...question, ...chosen }, signal });
      const known = texts(files);
      const first = await ask({ policies: "in_force" });
      const other = policies === "in_force" ? null : await ask(policies === "shadow" ? { policies } : folderBody(sent));
      fill(
        result,
        other && difference(first, other),
        h(
          "div",
          { class: other ? "two" : undefined },
          card("The policies in force", answer(first, known)),
          other && card(policies === "shadow" ? "The shadow" : "The folder", answer(other, policies === "shadow" ? null : sourcesOf(sent, known))),
        ),
      );
    },
  });
  return page("Try a request", "What policies would say, and why. Nothing is done, and nothing is recorded.", h("div", { class: "side" }, card("Ask", asking), result));
}

/**
 * @param {import("../folder.js").DroppedFolder} sent
 * @param {Map<string, string>} known
 */
function sourcesOf(sent, known) {
  return sent.member === "folder" ? sent.files : new Map([...known, ...sent.files]);
}

/**
 * @param {any} first
 * @param {any} other
 */
function difference(first, other) {
  if (first.decision === other.decision) {
    const same = by(first) === by(other);
    return notice(same ? "No difference: the same answer, by the same policies." : "The same answer, by other policies.", same ? "success" : "warning");
  }
  return notice(other.decision ? "Allowed there, and denied by the policies in force." : "Denied there, and allowed by the policies in force.", "danger");
}

/** @param {any} answer */
function by({ explanation }) {
  return (explanation?.determining ?? []).map((/** @type {any} */ each) => each.policy).sort().join();
}

/**
 * @param {any} answer
 * @param {Map<string, string> | null} sources
 */
function answer({ decision, note, policies, explanation }, sources) {
  return h(
    "div",
    { class: "stack" },
    h("p", { class: "row" }, decision ? badge("Allowed", "good") : badge("Denied", "bad"), h("span", { class: "small muted" }, "policies ", digest(policies.digest))),
    note && h("p", { class: "notice" }, text(note)),
    explanation && explained(explanation, sources),
  );
}
