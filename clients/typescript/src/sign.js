import { SigningError } from "./error.js";

/**
 * A request to sign, and the credentials.
 *
 * @typedef {object} ToSign
 * @property {string} accessKey
 * @property {string} secretKey as it was shown, prefix included
 * @property {string} method in capitals
 * @property {string} target path and query exactly as they will stand in the request line
 * @property {Uint8Array} [body] the bytes that will be sent
 * @property {string} [date] `YYYY-MM-DDTHH:MM:SSZ`; without it, now
 * @property {string} [nonce] never used before with this key; without it, 128 random bits
 */

/**
 * The headers of one attempt. A retry is signed anew.
 *
 * @typedef {object} SignedHeaders
 * @property {string} authorization
 * @property {string} x-date
 * @property {string} x-nonce
 * @property {string} x-content-sha256
 */

const encoder = new TextEncoder();

/**
 * @param {ToSign} request
 * @returns {Promise<SignedHeaders>}
 * @throws {SigningError} for the first part that breaks its grammar
 */
export async function sign({
  accessKey,
  secretKey,
  method,
  target,
  body = new Uint8Array(),
  date = new Date().toISOString().replace(/\.\d+Z$/, "Z"),
  nonce = newNonce(),
}) {
  checkCredentials(accessKey, secretKey);
  const contentSha256 = await sha256Hex(body);
  const text = stringToSign({ method, target, date, nonce, contentSha256 });
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await subtle().importKey("raw", encoder.encode(secretKey), hmac, false, ["sign"]);
  const mac = new Uint8Array(await subtle().sign("HMAC", key, encoder.encode(text)));
  return {
    authorization: `HMAC ${accessKey}:${btoa(String.fromCharCode(...mac))}`,
    "x-date": date,
    "x-nonce": nonce,
    "x-content-sha256": contentSha256,
  };
}

/**
 * The text that a signature covers: six lines joined by a line feed, none at the end.
 *
 * @param {{method: string, target: string, date: string, nonce: string, contentSha256: string}} parts
 * @returns {string}
 * @throws {SigningError} for the first part that breaks its grammar
 */
export function stringToSign({ method, target, date, nonce, contentSha256 }) {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark + 1);
  demand(
    mark < 0 || query !== "",
    "the target ends in a `?` with no query behind it; leave the `?` out",
  );
  demand(/^[A-Z0-9!#$%&'*+\-.^_`|~]+$/.test(method), "the method must be in capitals, such as `GET`");
  demand(
    /^\/[^\x00-\x20\x7f-\x9f#]*$/.test(target),
    "the target must start with `/` and hold no space, control character or `#`; percent-encode them",
  );
  demand(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(date),
    "`x-date` must be written `YYYY-MM-DDTHH:MM:SSZ`",
  );
  demand(
    /^[A-Za-z0-9._~-]{8,128}$/.test(nonce),
    "`x-nonce` must be 8 to 128 characters of `A-Za-z0-9._~-`",
  );
  demand(
    /^[0-9a-f]{64}$/.test(contentSha256),
    "`x-content-sha256` must be the body's sha-256 in 64 lowercase hexadecimal digits",
  );
  return [method, path, query, date, nonce, contentSha256].join("\n");
}

/**
 * The `x-content-sha256` of these bytes.
 *
 * @param {Uint8Array} body
 * @returns {Promise<string>}
 */
export async function sha256Hex(body) {
  // WebCrypto takes no view of a `SharedArrayBuffer`; a copy is none.
  return hex(new Uint8Array(await subtle().digest("SHA-256", new Uint8Array(body))));
}

/**
 * @param {string} accessKey
 * @param {string} secretKey
 */
export function checkCredentials(accessKey, secretKey) {
  demand(
    typeof accessKey === "string" && /^[A-Za-z0-9._~-]{1,128}$/.test(accessKey),
    "the access key must be 1 to 128 characters of `A-Za-z0-9._~-`",
  );
  demand(
    typeof secretKey === "string" && /^[\x21-\x7e]+$/.test(secretKey),
    "the secret key must be visible ASCII characters, without white space",
  );
}

function newNonce() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function subtle() {
  // Browsers have it on https and localhost only.
  if (!globalThis.crypto?.subtle) {
    throw new SigningError("there is no WebCrypto here: it needs Node 20 or a page served over https");
  }
  return globalThis.crypto.subtle;
}

/**
 * @param {boolean} holds
 * @param {string} expected
 */
function demand(holds, expected) {
  if (!holds) throw new SigningError(expected);
}
