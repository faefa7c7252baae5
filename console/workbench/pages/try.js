/** A request tried against the policies in force, the shadow, or a dropped folder, with the difference. */

import { fill, h } from "../../shared/dom.js";
import { selectField, textField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, empty, notice } from "../../shared/states.js";
import { text } from "../../shared/text.js";
import { badge } from "../../shared/button.js";
import { catalogue, seenEntities } from "../catalogue.js";
import { domainPage } from "../domains.js";
import { entityField, objectField, permissionField } from "../entity-field.js";
import { explained, texts } from "../explanation.js";
import { folderBody, folderField } from "../folder.js";
import { digest, questionQuery } from "../places.js";

/** A question that an earlier one leaves in the address. */
const EMPTY = { "subject.properties": null, "resource.properties": null, context: null };
const TIME_AND_PLACE = ["context/source_ip", "context/now"];

/** @param {import("../main.js").Context} page */
export async function show(page) {
  const { api, domain, signal, query, router } = page;
  const { permissions, subjects, resources, files, shadow } = await catalogue(api, domain, signal);
  const seen = seenEntities(api, domain, signal);
  const nothing = empty("The answer appears here", "With the policies that decide, and the conditions that are false.");
  const result = h("div", { class: "stack stack-large", "aria-live": "polite" }, nothing);
  const folder = folderField({ domain, inForce: async () => files.map((file) => file.name), onchange: (given) => given && against.write("sent") });
  const against = selectField({
    name: "policies",
    label: "Against",
    options: [
      { value: "in_force", label: "The policies in force" },
      ...(shadow ? [{ value: "shadow", label: "The shadow, and the difference" }] : []),
      { value: "sent", label: "The folder below, and the difference" },
    ],
  });
  const asking = form({
    fields: [
      entityField("subject", "Subject", subjects, query, { seen }),
      ...(domain ? [objectField("subject/properties", "Subject properties", query.get("subject.properties"))] : []),
      permissionField(permissions, query, domain ? { label: "Action" } : {}),
      entityField("resource", "Resource", resources, query, { seen }),
      ...(domain
        ? [
            objectField("resource/properties", "Resource properties", query.get("resource.properties"), "JSON. What the domain's entities.json and the store say stands over it."),
            objectField("context", "Context", query.get("context"), "JSON, as the schema declares it for the action."),
          ]
        : [
            textField({ name: "context/source_ip", label: "From the address", optional: true, mono: true, value: query.get("source_ip") ?? "" }),
            textField({ name: "context/now", label: "At the time", optional: true, mono: true, value: query.get("now") ?? "", hint: "Such as 2026-03-01T12:00:00Z; empty for now." }),
          ]),
      against,
      { name: "folder", label: "Folder", element: folder.element, read: () => folder.read(), write: () => {}, fail: () => {}, focus: () => {} },
    ],
    submit: "Try",
    working: "Asking…",
    guarded: false,
    before: () => fill(result),
    send: async ({ policies, folder: sent, ...values }) => {
      if (policies === "sent" && !sent) {
        fill(result, notice("Drop a folder first, or ask the policies in force.", "warning"));
        return;
      }
      const question = domain ? ofDomain(domain, values) : builtIn(values);
      const [ip, now] = TIME_AND_PLACE.map((name) => values[name]);
      const kept = questionQuery(domain ? question : { ...question, context: undefined });
      router.put({ ...EMPTY, ...Object.fromEntries(kept), source_ip: ip ?? null, now: now ?? null });
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
          card("The policies in force", answer(first, { sources: known, domain, isInForce: true })),
          other && card(policies === "shadow" ? "The shadow" : "The folder", answer(other, { sources: policies === "shadow" ? overlaid(known, shadow ?? []) : sourcesOf(sent, known), domain, isInForce: false })),
        ),
      );
    },
  });
  return domainPage(page, "Try a request", "What policies would say, and why. Nothing is done, and nothing is recorded.", h("div", { class: "side" }, card("Ask", asking), result));
}

/** @param {Record<string, any>} values */
function builtIn({ subject, action, resource, ...values }) {
  const [ip, now] = TIME_AND_PLACE.map((name) => values[name]);
  return { subject, action, resource, context: { ...(ip && { source_ip: ip }), ...(now && { now }) } };
}

/**
 * @param {string} domain
 * @param {Record<string, any>} values
 */
function ofDomain(domain, { subject, action, resource, context, ...values }) {
  const described = (/** @type {any} */ entity, /** @type {object | undefined} */ properties) => ({ ...entity, ...(properties && { properties }) });
  return {
    domain,
    subject: described(subject, values["subject/properties"]),
    action,
    resource: described(resource, values["resource/properties"]),
    ...(context && { context }),
  };
}

/**
 * The texts of the shadow: those in force with its files in their place.
 *
 * @param {Map<string, string>} known
 * @param {import("../places.js").File[]} changed
 */
function overlaid(known, changed) {
  const over = new Map(known);
  for (const file of changed) {
    if (file.removed) {
      over.delete(file.name);
    } else {
      over.set(file.name, file.text ?? "");
    }
  }
  return over;
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
 * @param {import("../explanation.js").Asked} asked
 */
function answer({ decision, note, policies, explanation }, asked) {
  return h(
    "div",
    { class: "stack" },
    h("p", { class: "row" }, decision ? badge("Allowed", "good") : badge("Denied", "bad"), h("span", { class: "small muted" }, "policies ", digest(policies.digest))),
    note && h("p", { class: "notice" }, text(note)),
    explanation && explained(explanation, asked),
  );
}
