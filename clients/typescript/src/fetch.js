import { DEFAULT_MAX_STREAM_BYTES, toBytes } from "./body.js";
import { SigningError } from "./error.js";
import { checkCredentials, sign } from "./sign.js";

/**
 * @typedef {object} Credentials
 * @property {string} accessKey
 * @property {string} secretKey
 * @property {string} baseUrl scheme, host and port only
 * @property {number} [maxStreamBytes] streams are read up to here; 1 MiB
 * @property {typeof globalThis.fetch} [fetch] what sends; without it, the global one
 */

/**
 * What `fetch` takes, but `redirect: "follow"` is refused: a redirect would need a signature of its own.
 *
 * @typedef {Omit<RequestInit, "body"> & {body?: import("./body.js").Body}} SignedInit
 */

/**
 * A `fetch` that signs what it sends to `baseUrl`, and sends nothing elsewhere. Each call has a date
 * and a nonce of its own, so call it again to retry.
 *
 * @param {Credentials} credentials
 * @returns {(input: string | URL | Request, init?: SignedInit) => Promise<Response>}
 * @throws {SigningError} if the credentials are malformed
 */
export function createFetch({ accessKey, secretKey, baseUrl, maxStreamBytes, fetch }) {
  checkCredentials(accessKey, secretKey);
  const { origin } = readBaseUrl(baseUrl);
  const limit = maxStreamBytes ?? DEFAULT_MAX_STREAM_BYTES;

  return async (input, init = {}) => {
    const { url, method, headers, body, redirect, rest } = await readRequest(input, init, origin);
    // `fetch` sends these two, as `URL` spells them.
    const target = url.pathname + url.search;
    const { bytes, contentType } = await toBytes(body, limit, rest.signal);
    const signed = await sign({ accessKey, secretKey, method, target, body: bytes });
    for (const [name, value] of Object.entries(signed)) headers.set(name, value);
    if (contentType && !headers.has("content-type")) headers.set("content-type", contentType);
    const send = fetch ?? globalThis.fetch;
    return send(url.origin + target, {
      ...rest,
      method,
      headers,
      redirect,
      ...(bytes.length > 0 && { body: /** @type {BodyInit} */ (bytes) }),
    });
  };
}

/**
 * Signs and sends one request. For several, `createFetch`.
 *
 * @param {Credentials} credentials
 * @param {string | URL | Request} input
 * @param {SignedInit} [init]
 * @returns {Promise<Response>}
 */
export async function signedFetch(credentials, input, init) {
  return createFetch(credentials)(input, init);
}

/**
 * From `CHARTER_ACCESS_KEY`, `CHARTER_SECRET_KEY` and `CHARTER_BASE_URL`.
 *
 * @param {Record<string, string | undefined>} [env] without it, `process.env`
 * @returns {Credentials}
 * @throws {SigningError} naming the variable that is not set
 */
export function credentialsFromEnv(env) {
  /** @type {any} */
  const { process } = globalThis;
  const variables = env ?? process?.env ?? {};
  /** @param {string} name */
  const required = (name) => {
    const value = variables[name];
    if (!value) throw new SigningError(`\`${name}\` is not set`);
    return value;
  };
  const accessKey = required("CHARTER_ACCESS_KEY");
  const secretKey = required("CHARTER_SECRET_KEY");
  const baseUrl = required("CHARTER_BASE_URL");
  // Not enumerable: neither `console.log` nor `JSON.stringify` shows it.
  return Object.defineProperty(
    /** @type {Credentials} */ ({ accessKey, baseUrl }),
    "secretKey",
    { value: secretKey },
  );
}

/**
 * @param {string | URL | Request} input
 * @param {SignedInit} init
 * @param {string} origin
 */
async function readRequest(input, init, origin) {
  const request = input instanceof Request ? input : undefined;
  if (!request && !(input instanceof URL) && typeof input !== "string") {
    throw new SigningError(
      "the request must be text, a `URL` or a `Request` of the global class; " +
        "of one of another class, give the URL and the options",
    );
  }
  const url = new URL(request ? request.url : String(input), origin);
  if (url.origin !== origin || url.username || url.password) {
    throw new SigningError(
      `not signing a request to \`${url.origin}\`: these credentials are for \`${origin}\` only`,
    );
  }
  const { method, headers, body, redirect, ...others } = init;
  // A `Request` follows redirects unless told otherwise, so its own setting says nothing.
  const wanted = redirect ?? "error";
  if (wanted === "follow") {
    throw new SigningError("a redirect cannot be followed: sign anew for its target");
  }
  return {
    url,
    method: (method ?? request?.method ?? "GET").toUpperCase(),
    headers: new Headers(headers ?? request?.headers),
    body: body ?? (request && (await bodyOf(request.clone()))),
    redirect: wanted,
    rest: request ? { ...optionsOf(request), ...others } : others,
  };
}

/**
 * @param {Request} request
 * @returns {RequestInit}
 */
function optionsOf({ cache, credentials, integrity, keepalive, mode, referrer, referrerPolicy, signal }) {
  const options = { cache, credentials, integrity, keepalive, referrer, referrerPolicy, signal };
  // A page's own navigation, which a service worker sees, cannot be asked for.
  return mode === "navigate" ? options : { ...options, mode };
}

/**
 * The caller's request keeps its body, so that it can be sent again.
 *
 * @param {Request} copy
 */
async function bodyOf(copy) {
  // Not every browser gives a request's body as a stream.
  return copy.body === undefined ? copy.arrayBuffer() : copy.body;
}

/** @param {string} baseUrl */
function readBaseUrl(baseUrl) {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  const wellFormed =
    url &&
    ["http:", "https:"].includes(url.protocol) &&
    !url.username &&
    !url.password &&
    url.pathname === "/" &&
    !/[?#]/.test(baseUrl);
  if (!wellFormed) {
    throw new SigningError(
      "the base URL must be scheme, host and port only, such as `https://charter.example.org`",
    );
  }
  return url;
}
