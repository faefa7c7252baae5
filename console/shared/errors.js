/** What can come of a request, and how it is shown. */

import { h } from "./dom.js";
import { code, text } from "./text.js";

/**
 * The service's one error shape.
 *
 * @typedef {{type: string, code: string, message: string, request_id?: string, decision_id?: string,
 *   details?: {field: string, message: string}[]}} ErrorBody
 */

/** An answer that is an error. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {ErrorBody} body
   * @param {number | null} retryAfter seconds
   */
  constructor(status, body, retryAfter) {
    super(body.message);
    this.status = status;
    this.type = body.type;
    this.code = body.code;
    this.requestId = body.request_id;
    this.decisionId = body.decision_id;
    this.details = body.details ?? [];
    this.retryAfter = retryAfter;
  }

  /** Somebody else was faster. */
  get isConflict() {
    return this.status === 412;
  }
}

/** The service gave no answer. */
export class AwayError extends Error {
  constructor() {
    super("Charter could not be reached.");
  }
}

/** What a page itself has found out, in words for a person. */
export class Notice extends Error {}

/**
 * Whether the same may be answered in a while.
 *
 * @param {unknown} error
 */
export function isTemporary(error) {
  return error instanceof AwayError || (error instanceof ApiError && error.status === 503);
}

/** The session has ended, and nobody signed in again. */
export class SignedOutError extends Error {
  constructor() {
    super("You are signed out.");
  }
}

/**
 * A sentence for a person.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function sentence(error) {
  if (error instanceof ApiError && error.status === 429) {
    return `Too many attempts. Try again ${wait(error.retryAfter)}.`;
  }
  const message = error instanceof Error ? error.message : "";
  if (!isKnown(error) || message === "") {
    return "Something went wrong on this page. Reload it, and try again.";
  }
  // What is in `details` stands below it.
  const plain = message.replace(/; see `details`$/, "");
  const first = plain.charAt(0).toUpperCase() + plain.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** @param {unknown} error */
function isKnown(error) {
  return error instanceof ApiError || error instanceof AwayError || error instanceof SignedOutError || error instanceof Notice;
}

/** @param {number | null} seconds */
function wait(seconds) {
  if (seconds === null) {
    return "later";
  }
  return seconds < 90 ? `in ${seconds} seconds` : `in ${Math.ceil(seconds / 60)} minutes`;
}

/**
 * A notice with all that support needs.
 *
 * @param {unknown} error
 * @param {...import("./dom.js").Child} more
 * @returns {HTMLElement}
 */
export function errorNotice(error, ...more) {
  if (!isKnown(error)) {
    // A fault of ours: it belongs into the browser's console, too.
    reportError(error);
  }
  const denied = error instanceof ApiError && error.status === 403;
  return h(
    "div",
    { class: "notice notice-danger", role: "alert" },
    denied && h("strong", {}, "Not allowed"),
    h("p", {}, text(sentence(error))),
    error instanceof ApiError && error.details.length > 0 && details(error),
    more,
    error instanceof ApiError && trace(error),
  );
}

/**
 * What is wrong with which part of the request: `/changes/roles.cedar` as `changes, roles.cedar`.
 *
 * @param {ApiError} error
 */
function details(error) {
  const name = (/** @type {string} */ pointer) =>
    pointer
      .split("/")
      .slice(1)
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      .join(", ");
  return h(
    "ul",
    {},
    error.details.map(({ field, message }) => h("li", {}, code(name(field)), ": ", text(message))),
  );
}

/** @param {ApiError} error */
function trace(error) {
  return h(
    "p",
    { class: "trace" },
    code(error.code),
    error.decisionId && [" · decision ", code(error.decisionId)],
    error.requestId && [" · request ", code(error.requestId)],
  );
}
