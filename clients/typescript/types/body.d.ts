/**
 * The bytes that will be signed and sent, and the content type that fits them.
 *
 * @param {Body} body
 * @param {number} maxStreamBytes
 * @param {AbortSignal | null} [signal] ends the reading, with its reason
 * @returns {Promise<{bytes: Uint8Array, contentType: string | null}>}
 * @throws {SigningError} for a stream over the limit, and for what is no body
 */
export function toBytes(body: Body, maxStreamBytes: number, signal?: AbortSignal | null): Promise<{
    bytes: Uint8Array;
    contentType: string | null;
}>;
/**
 * What can be sent. All of it is read into memory before it is signed.
 *
 * @typedef {string | Uint8Array | ArrayBuffer | ArrayBufferView | URLSearchParams | Blob | FormData
 *   | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | null | undefined} Body
 */
/** Streams are read up to here: 1 MiB. The service's own limit is lower as shipped, 64 KiB. */
export const DEFAULT_MAX_STREAM_BYTES: number;
/**
 * What can be sent. All of it is read into memory before it is signed.
 */
export type Body = string | Uint8Array | ArrayBuffer | ArrayBufferView | URLSearchParams | Blob | FormData | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | null | undefined;
