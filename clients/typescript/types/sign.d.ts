/**
 * @param {ToSign} request
 * @returns {Promise<SignedHeaders>}
 * @throws {SigningError} for the first part that breaks its grammar
 */
export function sign({ accessKey, secretKey, method, target, body, date, nonce, }: ToSign): Promise<SignedHeaders>;
/**
 * The text that a signature covers: six lines joined by a line feed, none at the end.
 *
 * @param {{method: string, target: string, date: string, nonce: string, contentSha256: string}} parts
 * @returns {string}
 * @throws {SigningError} for the first part that breaks its grammar
 */
export function stringToSign({ method, target, date, nonce, contentSha256 }: {
    method: string;
    target: string;
    date: string;
    nonce: string;
    contentSha256: string;
}): string;
/**
 * The `x-content-sha256` of these bytes.
 *
 * @param {Uint8Array} body
 * @returns {Promise<string>}
 */
export function sha256Hex(body: Uint8Array): Promise<string>;
/**
 * @param {string} accessKey
 * @param {string} secretKey
 */
export function checkCredentials(accessKey: string, secretKey: string): void;
/**
 * A request to sign, and the credentials.
 */
export type ToSign = {
    accessKey: string;
    /**
     * as it was shown, prefix included
     */
    secretKey: string;
    /**
     * in capitals
     */
    method: string;
    /**
     * path and query exactly as they will stand in the request line
     */
    target: string;
    /**
     * the bytes that will be sent
     */
    body?: Uint8Array;
    /**
     * `YYYY-MM-DDTHH:MM:SSZ`; without it, now
     */
    date?: string;
    /**
     * never used before with this key; without it, 128 random bits
     */
    nonce?: string;
};
/**
 * The headers of one attempt. A retry is signed anew.
 */
export type SignedHeaders = {
    authorization: string;
    "x-date": string;
    "x-nonce": string;
    "x-content-sha256": string;
};
