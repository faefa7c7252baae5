/** Every page of the portal by its path. Modules of pages load when they are visited. */

/**
 * @typedef {object} PortalRoute
 * @property {string} path
 * @property {boolean} [open] for people who are not signed in
 * @property {string} [menu] its words in the menu
 * @property {string} [group] under which it stands there
 * @property {string} [permission] without it the menu does not offer it
 * @property {() => Promise<{show: (context: import("./main.js").Context) => Node | Promise<Node>}>} load
 */

/**
 * `/`: to the overview, or to where one signs in.
 *
 * @param {import("./main.js").Context} context
 */
function begin({ api, router }) {
  queueMicrotask(() => router.replace(api.mayBeSignedIn ? "/portal" : "/sign-in"));
  return document.createElement("div");
}

/** @type {PortalRoute[]} */
export const ROUTES = [
  { path: "/", open: true, load: () => Promise.resolve({ show: begin }) },
  { path: "/sign-in", open: true, load: () => import("./pages/sign-in.js") },
  { path: "/register", open: true, load: () => import("./pages/register.js") },
  { path: "/verify-email", open: true, load: () => import("./pages/verify-email.js") },
  { path: "/forgot-password", open: true, load: () => import("./pages/forgot-password.js") },
  { path: "/reset-password", open: true, load: () => import("./pages/reset-password.js") },
  { path: "/accept-invitation", open: true, load: () => import("./pages/accept-invitation.js") },
  { path: "/portal", menu: "Overview", load: () => import("./pages/overview.js") },
  {
    path: "/portal/organization",
    menu: "Organization",
    group: "Manage",
    permission: "organizations:GetOrganization",
    load: () => import("./pages/organization.js"),
  },
  {
    path: "/portal/team",
    menu: "Team",
    group: "Manage",
    permission: "team:ListMembers",
    load: () => import("./pages/team.js"),
  },
  {
    path: "/portal/accounts",
    menu: "Accounts",
    group: "Manage",
    permission: "accounts:ListAccounts",
    load: () => import("./pages/accounts.js"),
  },
  {
    path: "/portal/service-accounts",
    menu: "Service accounts",
    group: "API access",
    permission: "service-accounts:ListServiceAccounts",
    load: () => import("./pages/service-accounts.js"),
  },
  { path: "/portal/service-accounts/new", load: () => import("./pages/new-service-account.js") },
  { path: "/portal/service-accounts/:id", load: () => import("./pages/service-account.js") },
  {
    path: "/portal/keys",
    menu: "Keys",
    group: "API access",
    permission: "service-accounts:ListKeys",
    load: () => import("./pages/key-report.js"),
  },
  {
    path: "/portal/audit-events",
    menu: "Audit events",
    group: "Activity",
    permission: "audit:ListEvents",
    load: () => import("./pages/audit-events.js"),
  },
  {
    path: "/portal/denied-requests",
    menu: "Denied requests",
    group: "Activity",
    permission: "decisions:ListDecisions",
    load: () => import("./pages/denied-requests.js"),
  },
  { path: "/portal/profile", load: () => import("./pages/profile.js") },
  { path: "/components", open: true, load: () => import("./pages/components.js") },
];
