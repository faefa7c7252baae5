/** A policy folder that is dropped into the page, or chosen. It stays here until something is asked of it. */

import { button } from "../shared/button.js";
import { fill, h, newId } from "../shared/dom.js";
import { text } from "../shared/text.js";

/** Names that a policy folder has; others are left out. */
const KNOWN = /^(schema\.cedarschema|manifest\.json|(invariants\/)?[^/]+\.cedar|tests\/[^/]+\.json)$/;
/** And those that a domain's folder may have beside them. */
const OF_DOMAINS = /^(entities\.json|routes\.toml)$/;
const MOST_BYTES = 7 * 1024 * 1024;

/**
 * A folder as the API takes it. With a schema it is a whole one; otherwise its files stand in the place of those in
 * force.
 *
 * @typedef {{member: "folder" | "changes", files: Map<string, string>}} DroppedFolder
 */

/**
 * @param {object} options
 * @param {string | null} options.domain whose folder it is
 * @param {() => Promise<string[]>} options.inForce names of the files in force
 * @param {(folder: DroppedFolder | null) => void} [options.onchange]
 */
export function folderField({ domain, inForce, onchange }) {
  /** @type {DroppedFolder | null} */
  let folder = null;
  const id = newId();
  const told = h("div", { class: "small", role: "status" });
  const clear = button("Remove", { small: true, onclick: () => take(null) });
  const choose = (/** @type {boolean} */ whole) => {
    const input = h("input", { type: "file", multiple: true, webkitdirectory: whole });
    input.addEventListener("change", () => read([...(input.files ?? [])].map((file) => ({ name: whole ? below(file.webkitRelativePath) : file.name, file }))));
    input.click();
  };
  const element = h(
    "div",
    {
      class: "drop",
      role: "group",
      "aria-labelledby": id,
      ondragover: (/** @type {DragEvent} */ event) => {
        event.preventDefault();
        element.classList.add("drop-over");
      },
      ondragleave: () => element.classList.remove("drop-over"),
      ondrop: async (/** @type {DragEvent} */ event) => {
        event.preventDefault();
        element.classList.remove("drop-over");
        await read(await dropped(event.dataTransfer));
      },
    },
    h("p", { id }, domain ? `Drop a folder of the domain ${domain} here, or files that stand in the place of those in force.` : "Drop a policy folder here, or files that stand in the place of those in force."),
    h("div", { class: "row" }, button("Choose a folder", { small: true, onclick: () => choose(true) }), button("Choose files", { small: true, onclick: () => choose(false) }), clear),
    told,
  );
  clear.hidden = true;

  /** @param {DroppedFolder | null} given */
  function take(given) {
    folder = given;
    clear.hidden = given === null;
    fill(told, given && summary(given));
    onchange?.(given);
  }

  /** @param {{name: string, file: File}[]} found */
  async function read(found) {
    const names = await inForce();
    const files = new Map();
    let bytes = 0;
    for (const { name, file } of found) {
      const placed = names.includes(name) ? name : (names.find((it) => it.endsWith(`/${name}`)) ?? name);
      if (KNOWN.test(placed) || (domain && OF_DOMAINS.test(placed))) {
        bytes += file.size;
        files.set(placed, bytes > MOST_BYTES ? "" : await file.text());
      }
    }
    if (files.size === 0 || bytes > MOST_BYTES) {
      take(null);
      const words = files.size === 0 ? "There is no policy file in it: a folder has schema.cedarschema, *.cedar, invariants/*.cedar and tests/*.json." : "It is too large: 7 MiB at most.";
      fill(told, h("p", { class: "error-text" }, words));
      return;
    }
    take({ member: files.has("schema.cedarschema") && [...files.keys()].length > 1 ? "folder" : "changes", files });
  }

  return { element, read: () => folder };
}

/** @param {DroppedFolder} folder */
function summary({ member, files }) {
  const names = [...files.keys()];
  const what = member === "folder" ? `A whole folder of ${names.length} files: ` : "In the place of those in force: ";
  return h("p", {}, what, text(names.slice(0, 12).join(", ")), names.length > 12 && ` and ${names.length - 12} more`);
}

/**
 * The member of a request's body.
 *
 * @param {DroppedFolder | null} folder
 */
export function folderBody(folder) {
  return folder ? { [folder.member]: Object.fromEntries(folder.files) } : {};
}

/** @param {string} path the chosen folder's name is its first part */
function below(path) {
  return path.slice(path.indexOf("/") + 1);
}

/**
 * @param {DataTransfer | null} transfer
 * @returns {Promise<{name: string, file: File}[]>}
 */
async function dropped(transfer) {
  // All are taken at once: a drop's items are gone after the first wait.
  const items = [...(transfer?.items ?? [])].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found = await Promise.all(
    items.map(async ({ entry, file }) => {
      if (entry?.isDirectory) {
        return within(entry, "");
      }
      return file ? [{ name: file.name, file }] : [];
    }),
  );
  return found.flat();
}

/**
 * @param {FileSystemEntry} directory
 * @param {string} prefix
 * @returns {Promise<{name: string, file: File}[]>}
 */
async function within(directory, prefix) {
  const reader = /** @type {FileSystemDirectoryEntry} */ (directory).createReader();
  /** @type {FileSystemEntry[]} */
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) {
      break;
    }
    entries.push(...some);
  }
  const found = await Promise.all(
    entries.map((entry) => (entry.isDirectory ? within(entry, `${prefix}${entry.name}/`) : one(entry, prefix))),
  );
  return found.flat();
}

/**
 * @param {FileSystemEntry} entry
 * @param {string} prefix
 * @returns {Promise<{name: string, file: File}[]>}
 */
async function one(entry, prefix) {
  /** @type {File} */
  const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
  return [{ name: prefix + entry.name, file }];
}
