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
export function createFetch({ accessKey, secretKey, baseUrl, maxStreamBytes, fetch }: Credentials): (input: string | URL | Request, init?: SignedInit) => Promise<Response>;
/**
 * Signs and sends one request. For several, `createFetch`.
 *
 * @param {Credentials} credentials
 * @param {string | URL | Request} input
 * @param {SignedInit} [init]
 * @returns {Promise<Response>}
 */
export function signedFetch(credentials: Credentials, input: string | URL | Request, init?: SignedInit): Promise<Response>;
/**
 * From `CHARTER_ACCESS_KEY`, `CHARTER_SECRET_KEY` and `CHARTER_BASE_URL`.
 *
 * @param {Record<string, string | undefined>} [env] without it, `process.env`
 * @returns {Credentials}
 * @throws {SigningError} naming the variable that is not set
 */
export function credentialsFromEnv(env?: Record<string, string | undefined>): Credentials;
export type Credentials = {
    accessKey: string;
    secretKey: string;
    /**
     * scheme, host and port only
     */
    baseUrl: string;
    /**
     * streams are read up to here; 1 MiB
     */
    maxStreamBytes?: number;
    /**
     * what sends; without it, the global one
     */
    fetch?: typeof globalThis.fetch;
};
/**
 * What `fetch` takes, but `redirect: "follow"` is refused: a redirect would need a signature of its own.
 */
export type SignedInit = Omit<RequestInit, "body"> & {
    body?: import("./body.js").Body;
};
