import { SigningError } from "./error.js";

/**
 * What can be sent. All of it is read into memory before it is signed.
 *
 * @typedef {string | Uint8Array | ArrayBuffer | ArrayBufferView | URLSearchParams | Blob | FormData
 *   | ReadableStream<Uint8Array> | null | undefined} Body
 */

/** Streams are read up to here: 1 MiB. The service's own limit is lower as shipped, 64 KiB. */
export const DEFAULT_MAX_STREAM_BYTES = 1024 * 1024;

/**
 * The bytes that will be signed and sent, and the content type that fits them.
 *
 * @param {Body} body
 * @param {number} maxStreamBytes
 * @returns {Promise<{bytes: Uint8Array, contentType: string | null}>}
 * @throws {SigningError} for a stream over the limit, and for what is no body
 */
export async function toBytes(body, maxStreamBytes) {
  if (body === null || body === undefined) return { bytes: new Uint8Array(), contentType: null };
  // The service takes JSON only; `fetch` would say `text/plain`.
  if (typeof body === "string") {
    return { bytes: new TextEncoder().encode(body), contentType: "application/json" };
  }
  if (body instanceof ReadableStream) {
    return { bytes: await readStream(body, maxStreamBytes), contentType: null };
  }
  if (ArrayBuffer.isView(body)) {
    // A copy: whatever becomes of the caller's buffer, what is signed is what is sent.
    const view = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
    return { bytes: new Uint8Array(view), contentType: null };
  }
  if (body instanceof ArrayBuffer) {
    return { bytes: new Uint8Array(body.slice(0)), contentType: null };
  }
  if (
    body instanceof URLSearchParams ||
    body instanceof Blob ||
    (typeof FormData !== "undefined" && body instanceof FormData)
  ) {
    const read = new Response(body);
    const contentType = read.headers.get("content-type");
    return { bytes: new Uint8Array(await read.arrayBuffer()), contentType };
  }
  throw new SigningError("the body must be text or bytes; serialize objects with `JSON.stringify`");
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} limit
 */
async function readStream(stream, limit) {
  const reader = stream.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!(value instanceof Uint8Array)) {
      await reader.cancel();
      throw new SigningError("the body is a stream of something other than bytes");
    }
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new SigningError(
        `the body is a stream of more than ${limit} bytes, and it must be read whole to be signed; ` +
          "raise `maxStreamBytes` to allow it",
      );
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
