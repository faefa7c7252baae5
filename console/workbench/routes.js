/** Every page of the workbench by its path. Modules of pages load when they are visited. */

import { HOME } from "./home.js";

/**
 * @typedef {object} WorkbenchRoute
 * @property {string} path
 * @property {boolean} [open] for those who are not signed in
 * @property {string} [menu] its words in the menu
 * @property {string} [group] under which it stands there
 * @property {boolean} [domains] shows those of the domain that the address names
 * @property {() => Promise<{show: (context: import("./main.js").Context) => Node | Promise<Node>}>} load
 */

/**
 * `/`: to the policies.
 *
 * @param {import("./main.js").Context} context
 */
function begin({ router }) {
  queueMicrotask(() => router.replace(HOME));
  return document.createElement("div");
}

/** @type {WorkbenchRoute[]} */
export const ROUTES = [
  { path: "/", open: true, load: () => Promise.resolve({ show: begin }) },
  { path: "/sign-in", open: true, load: () => import("./pages/sign-in.js") },
  { path: "/workbench/policies", menu: "Policies in force", group: "Policies", domains: true, load: () => import("./pages/policies.js") },
  { path: "/workbench/refused-edit", menu: "Refused edit", group: "Policies", domains: true, load: () => import("./pages/refused-edit.js") },
  { path: "/workbench/shadow", menu: "Shadow", group: "Policies", domains: true, load: () => import("./pages/shadow.js") },
  { path: "/workbench/compare", menu: "Compare a folder", group: "Policies", domains: true, load: () => import("./pages/compare.js") },
  { path: "/workbench/coverage", menu: "Coverage", group: "Policies", domains: true, load: () => import("./pages/coverage.js") },
  { path: "/workbench/history", menu: "History", group: "Policies", domains: true, load: () => import("./pages/history.js") },
  { path: "/workbench/decisions", menu: "Decisions", group: "Access", domains: true, load: () => import("./pages/decisions.js") },
  { path: "/workbench/decisions/:id", load: () => import("./pages/decision.js") },
  { path: "/workbench/try", menu: "Try a request", group: "Access", domains: true, load: () => import("./pages/try.js") },
  { path: "/workbench/access", menu: "Who may, what may", group: "Access", domains: true, load: () => import("./pages/access.js") },
  { path: "/workbench/roles", menu: "Roles", group: "Access", load: () => import("./pages/roles.js") },
  { path: "/workbench/charts", menu: "Charts", group: "Service", load: () => import("./pages/charts.js") },
  { path: "/workbench/replicas", menu: "Replicas", group: "Service", load: () => import("./pages/replicas.js") },
];
