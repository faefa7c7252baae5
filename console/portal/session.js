/** Who is signed in, and what policy allows that person: for menus, never for security. */

import { SignedOutError } from "../shared/errors.js";

/**
 * @typedef {{id: string, name: string, slug: string, schemaName: string, contactEmail: string | null,
 *   defaultRegion: string | null, allowedRegions: string[], planTier: string, monthlyDocLimit: number,
 *   isActive: boolean, createdAt: string}} Organization
 * @typedef {{id: string, email: string, role: string, emailVerified: boolean, createdAt: string,
 *   lastLoginAt: string | null, organization: Organization, permissions: string[]}} Me
 */

/** Asked about an account, a service account, a key or a member: `/api/portal/me` says nothing of these. */
const ABOUT_OBJECTS = new Set([
  "accounts:GetAccount",
  "accounts:UpdateAccount",
  "service-accounts:CreateServiceAccount",
  "service-accounts:GetServiceAccount",
  "service-accounts:UpdateServiceAccount",
  "service-accounts:DeleteServiceAccount",
  "service-accounts:CreateKey",
  "service-accounts:RotateKey",
  "service-accounts:RevokeKey",
  "team:ChangeRole",
  "team:RemoveMember",
]);

const READS = /:(Get|List)/;

export class Session {
  /** @type {Me | null} */
  #me = null;
  #api;
  /** Called when the person, the role or the organization has changed. */
  onChange = () => {};

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.#api = api;
  }

  /** @returns {Me} */
  get me() {
    if (this.#me === null) {
      // A page that is being left may still ask.
      throw new SignedOutError();
    }
    return this.#me;
  }

  get isOpen() {
    return this.#me !== null;
  }

  /** Reads it afresh. */
  async load() {
    const { data } = await this.#api.get("/api/portal/me");
    this.#me = data;
    this.onChange();
    return this.me;
  }

  close() {
    this.#me = null;
    this.onChange();
  }

  /**
   * Whether to offer this. What is asked about single objects is offered to whoever may change anything; the answer
   * decides.
   *
   * @param {string} permission
   */
  can(permission) {
    const { permissions } = this.me;
    if (permissions.includes(permission)) {
      return true;
    }
    return ABOUT_OBJECTS.has(permission) && (READS.test(permission) || permissions.some((each) => !READS.test(each)));
  }
}
