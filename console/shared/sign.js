/** Signs requests in the browser (docs/signing.md). The secret is used and not kept. */

/** WebCrypto is there on https and on the own machine only. */
export const canSign = typeof crypto.subtle === "object";

/**
 * The headers that make a request a signed one: good once, and for five minutes.
 *
 * @param {{accessKey: string, secretKey: string, method: string, url: URL, body?: string}} request as it is sent:
 *   path and query are those of the address as the browser writes it
 * @returns {Promise<Record<string, string>>}
 */
export async function signedHeaders({ accessKey, secretKey, method, url, body = "" }) {
  const encoder = new TextEncoder();
  const date = `${new Date().toISOString().slice(0, 19)}Z`;
  const nonce = [...crypto.getRandomValues(new Uint8Array(16))].map(hex).join("");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(body)));
  const content = [...digest].map(hex).join("");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secretKey), algorithm, false, ["sign"]);
  const signed = [method.toUpperCase(), url.pathname, url.search.slice(1), date, nonce, content].join("\n");
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(signed)));
  return {
    authorization: `HMAC ${accessKey}:${btoa(String.fromCharCode(...bytes))}`,
    "x-date": date,
    "x-nonce": nonce,
    "x-content-sha256": content,
  };
}

/** @param {number} byte */
function hex(byte) {
  return byte.toString(16).padStart(2, "0");
}

/**
 * A signed GET as a curl line.
 *
 * @param {{accessKey: string, secretKey: string, path: string}} request
 * @returns {Promise<string>}
 */
export async function signedCurl({ accessKey, secretKey, path }) {
  const url = new URL(path, location.origin);
  const headers = await signedHeaders({ accessKey, secretKey, method: "GET", url });
  const lines = Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`);
  return [`curl '${url.href}'`, ...lines].join(" \\\n  ");
}
