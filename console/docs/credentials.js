/** The credentials that the page's requests carry. They are read from the form when a request is sent, and kept nowhere. */

import { canSign, signedHeaders } from "../shared/sign.js";

/**
 * A request of Swagger UI, before it is sent.
 *
 * @typedef {{url: string, method: string, headers: Record<string, string>, body?: unknown, loadSpec?: boolean}} Outgoing
 */

const CANNOT_SIGN = "This browser signs on https and on the own machine (localhost) only.";

/** @param {string} id */
function field(id) {
  const input = document.getElementById(id);
  if (!(input instanceof HTMLInputElement)) {
    throw new Error(`the page has no field #${id}`);
  }
  return input;
}

function kind() {
  return document.querySelector("input[name=kind]:checked")?.getAttribute("value") ?? "none";
}

/** Shows the fields of the chosen kind. */
export function watchKind() {
  const show = () => {
    const chosen = kind();
    for (const group of document.querySelectorAll(".credentials [data-kind]")) {
      group.toggleAttribute("hidden", group.getAttribute("data-kind") !== chosen);
    }
    const line = document.getElementById("cannot-sign");
    line?.replaceChildren(chosen === "key" && !canSign ? CANNOT_SIGN : "");
  };
  for (const input of document.querySelectorAll("input[name=kind]")) {
    input.addEventListener("change", show);
  }
  show();
}

/**
 * Adds the chosen credentials to a request that this service answers; no other is sent.
 *
 * @param {Outgoing} request
 * @returns {Promise<Outgoing>}
 */
export async function withCredentials(request) {
  const url = new URL(request.url, location.href);
  if (url.origin !== location.origin) {
    throw new Error("requests go to this service only");
  }
  if (request.loadSpec) {
    return request;
  }
  const body = request.body ?? "";
  if (typeof body !== "string") {
    throw new TypeError("a body is a text");
  }
  const method = request.method.toUpperCase();
  if (kind() === "token") {
    request.headers.authorization = `Bearer ${field("token").value.trim()}`;
  } else if (kind() === "key") {
    if (!canSign) {
      throw new Error(CANNOT_SIGN);
    }
    const [accessKey, secretKey] = [field("access-key").value.trim(), field("secret-key").value.trim()];
    Object.assign(request.headers, await signedHeaders({ accessKey, secretKey, method, url, body }));
  }
  // What is signed is what is sent.
  request.url = url.href;
  return request;
}
