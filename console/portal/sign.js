/** A signed request as a curl line (contract of the signing headers: docs/signing.md). */

/** SHA-256 of no body. */
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** WebCrypto is there on https and on the own machine only. */
export const canSign = typeof crypto.subtle === "object";

/**
 * @param {{accessKey: string, secretKey: string, path: string}} request a GET without a query
 * @returns {Promise<string>}
 */
export async function signedCurl({ accessKey, secretKey, path }) {
  const date = `${new Date().toISOString().slice(0, 19)}Z`;
  const nonce = crypto.randomUUID();
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secretKey), algorithm, false, ["sign"]);
  const signed = ["GET", path, "", date, nonce, EMPTY].join("\n");
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(signed)));
  const signature = btoa(String.fromCharCode(...bytes));
  return [
    `curl '${location.origin}${path}'`,
    `-H 'authorization: HMAC ${accessKey}:${signature}'`,
    `-H 'x-date: ${date}'`,
    `-H 'x-nonce: ${nonce}'`,
    `-H 'x-content-sha256: ${EMPTY}'`,
  ].join(" \\\n  ");
}
