/** A dropped folder against the policies in force: what it means for each permission, and for recorded decisions. */

import { badge } from "../../shared/button.js";
import { fill, h } from "../../shared/dom.js";
import { selectField } from "../../shared/field.js";
import { form } from "../../shared/form.js";
import { card, notice } from "../../shared/states.js";
import { pairs, table } from "../../shared/table.js";
import { code, text } from "../../shared/text.js";
import { exactTime } from "../../shared/time.js";
import { changedFiles } from "../changed-files.js";
import { counterexample } from "../counterexample.js";
import { domainPage } from "../domains.js";
import { folderBody, folderField } from "../folder.js";
import { digest, placed } from "../places.js";
import { changedRoles, roleMatrix } from "../role-matrix.js";
import { work } from "../work.js";

/** @param {import("../main.js").Context} context */
export async function show(context) {
  const { api, domain, signal } = context;
  const { in_force: now } = await api.get("/policies", { query: { domain }, signal });
  const inForce = { files: now?.files ?? [] };
  const result = h("div", { class: "stack stack-large", "aria-live": "polite" });
  const progress = h("div", { class: "row" });
  const folder = folderField({ domain, inForce: async () => inForce.files.map((/** @type {any} */ file) => file.name) });
  const kind = selectField({
    name: "kind",
    label: "Compare",
    options: [
      { value: "diff", label: "What it allows, for every request" },
      { value: "replay", label: "Replay recorded decisions" },
    ],
  });
  const asking = form({
    fields: [{ name: "folder", label: "Folder", element: folder.element, read: () => folder.read(), write: () => {}, fail: () => {}, focus: () => {} }, kind],
    submit: "Compare",
    working: "Comparing…",
    guarded: false,
    send: async ({ folder: sent, kind: chosen }) => {
      if (!sent) {
        fill(result, notice("Drop a folder first.", "warning"));
        return;
      }
      fill(result);
      const words = chosen === "diff" ? "Comparing for every request" : "Taking decisions again";
      const found = await work(context, `/policies/${chosen}`, { ...(domain && { domain }), ...folderBody(sent) }, progress, words);
      if (found === null) {
        fill(result, notice("Stopped.", ""));
        return;
      }
      const changes = card("What was changed", changedFiles(inForce.files, changesOf(sent, inForce.files)));
      fill(result, chosen === "diff" ? meaning(found) : flips(found), changes);
    },
  });
  return domainPage(context, "Compare a folder", "What would change if this folder were in force. It is written nowhere.", card("Folder", [asking, progress]), result);
}

/**
 * @param {import("../folder.js").DroppedFolder} sent
 * @param {import("../places.js").File[]} inForce
 * @returns {import("../places.js").File[]}
 */
function changesOf(sent, inForce) {
  const changed = [...sent.files].filter(([name, given]) => inForce.find((file) => file.name === name)?.text !== given);
  const gone = sent.member === "folder" ? inForce.filter((file) => !sent.files.has(file.name)) : [];
  return [
    ...changed.map(([name, given]) => ({ name, text: given })),
    ...gone.map(({ name }) => ({ name, text: null, removed: true })),
  ];
}

/** @type {Record<string, [string, "good" | "warning" | "bad" | undefined]>} */
const DIRECTIONS = {
  equal: ["Equal", undefined],
  narrower: ["Narrower", "warning"],
  wider: ["Wider", "bad"],
  both: ["Wider and narrower", "bad"],
};

/** @param {string} direction */
function directionBadge(direction) {
  const [words, kind] = DIRECTIONS[direction] ?? ["Another reason", undefined];
  return badge(words, kind);
}

/** @param {any} found */
function meaning({ permissions = {}, not_compared: uncompared, roles, is_wider: isWider, old_digest: old, new_digest: now }) {
  const entries = /** @type {[string, any][]} */ (Object.entries(permissions));
  const changed = entries.filter(([, change]) => change.direction !== "equal");
  return [
    card(
      "What it means",
      [
        uncompared
          ? notice(roles ? "Requests could not be compared; the roles below tell what is known." : "Requests could not be compared.", "warning", h("p", {}, text(uncompared)))
          : changed.length === 0
          ? notice("It allows what is allowed now, for every request.", "success")
          : notice(isWider ? "It allows more than is allowed now." : "It allows less than is allowed now.", isWider ? "danger" : "warning"),
        pairs([
          ["In force", digest(old)],
          ["The folder", digest(now)],
          ["Permissions that change", `${changed.length} of ${entries.length}`],
        ]),
        changed.length > 0 &&
          h(
            "ol",
            { class: "feed", "aria-label": "Permissions that change" },
            changed.map(([permission, change], index) => permissionChange(permission, change, index === 0)),
          ),
      ].filter(Boolean),
    ),
    roles && card("Roles", rolesThatChange(roles)),
  ];
}

/** @param {import("../role-matrix.js").Row[]} roles */
function rolesThatChange(roles) {
  const changed = changedRoles(roles);
  return [
    changed.length === 0
      ? h("p", { class: "muted" }, "In an organization of one's own, no role gains or loses a permission.")
      : roleMatrix(changed),
    h("details", {}, h("summary", {}, "Every role and permission, then"), roleMatrix(roles)),
  ];
}

/**
 * @param {string} permission
 * @param {any} change
 * @param {boolean} open
 */
function permissionChange(permission, change, open) {
  return h(
    "li",
    {},
    h(
      "details",
      { class: "finding", open },
      h("summary", {}, code(permission), h("span", {}, directionBadge(change.direction))),
      h("div", { class: "inside stack" }, change.wider.map((/** @type {any} */ it) => example(it, "Newly allowed")), change.narrower.map((/** @type {any} */ it) => example(it, "No longer allowed"))),
    ),
  );
}

/**
 * @param {any} change
 * @param {string} words
 */
function example({ request_type: type, example: shown, reason }, words) {
  return h(
    "div",
    { class: "stack near" },
    h("h3", {}, `${words}: `, text(type)),
    shown
      ? [
          counterexample(shown.request),
          pairs([
            ["Decided now by", shown.old.length > 0 ? placed(shown.old) : text(null, "nothing permits it")],
            ["Decided then by", shown.new.length > 0 ? placed(shown.new) : text(null, "nothing permits it")],
          ]),
        ]
      : h("p", {}, "Undecided, which counts as a change: ", text(typeof reason === "string" ? reason : JSON.stringify(reason))),
  );
}

/** @param {any} found */
function flips({ digest: of, report }) {
  return card("Recorded decisions", [
    report.flips === 0 ? notice("No recorded decision would change.", "success") : notice(`${report.flips} recorded ${report.flips === 1 ? "decision" : "decisions"} would change.`, "danger"),
    pairs([
      ["The folder", digest(of)],
      ["Read", `${report.decisions} decisions`],
      ["Taken again", String(report.replayed)],
      ["For other reasons only", String(report.other_reasons)],
      ["Left out", `${report.masked} masked, ${report.unreadable} unreadable, ${report.unaskable + report.unasked} that the folder cannot be asked`],
    ]),
    ...report.groups.map((/** @type {any} */ group) =>
      h(
        "div",
        { class: "stack near" },
        h("h3", { class: "row" }, code(group.permission), directionBadge(group.direction), h("span", { class: "muted small" }, `${group.count} of `, text(group.principal))),
        table({
          caption: "Decisions that would change",
          rows: group.examples,
          columns: [
            { title: "When", cell: (/** @type {any} */ row) => exactTime(row.at) },
            { title: "Decision", cell: (row) => h("a", { href: `/workbench/decisions/${row.id}`, class: "mono" }, text(row.id)) },
            { title: "On", cell: (row) => code(row.resource) },
            { title: "Recorded", cell: (row) => text(row.recorded) },
            { title: "Then", cell: (row) => text(row.now) },
          ],
        }),
      ),
    ),
  ]);
}
