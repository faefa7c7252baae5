import { SigningError } from "./error.js";

/**
 * What can be sent. All of it is read into memory before it is signed.
 *
 * @typedef {string | Uint8Array | ArrayBuffer | ArrayBufferView | URLSearchParams | Blob | FormData
 *   | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | null | undefined} Body
 */

/** Streams are read up to here: 1 MiB. The service's own limit is lower as shipped, 64 KiB. */
export const DEFAULT_MAX_STREAM_BYTES = 1024 * 1024;

/**
 * The bytes that will be signed and sent, and the content type that fits them.
 *
 * @param {Body} body
 * @param {number} maxStreamBytes
 * @param {AbortSignal | null} [signal] ends the reading, with its reason
 * @returns {Promise<{bytes: Uint8Array, contentType: string | null}>}
 * @throws {SigningError} for a stream over the limit, and for what is no body
 */
export async function toBytes(body, maxStreamBytes, signal) {
  signal?.throwIfAborted();
  if (body === null || body === undefined) return { bytes: new Uint8Array(), contentType: null };
  // The service takes JSON only; `fetch` would say `text/plain`.
  if (typeof body === "string") {
    return { bytes: new TextEncoder().encode(body), contentType: "application/json" };
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
  const chunks = chunksOf(body);
  if (chunks) return { bytes: await readAll(chunks, maxStreamBytes, signal), contentType: null };
  throw new SigningError("the body must be text or bytes; serialize objects with `JSON.stringify`");
}

/**
 * @param {unknown} body
 * @returns {{next: () => Promise<{done?: boolean, value?: unknown}>, cancel: () => unknown} | undefined}
 */
function chunksOf(body) {
  if (body instanceof ReadableStream) {
    const reader = body.getReader();
    return { next: () => reader.read(), cancel: () => reader.cancel() };
  }
  /** @type {any} */
  const iterable = typeof body === "object" ? body : {};
  const iterator = (iterable[Symbol.asyncIterator] ?? iterable[Symbol.iterator])?.call(iterable);
  if (!iterator) return undefined;
  return {
    next: async () => iterator.next(),
    // A generator that waits takes no `return`; what Node's streams have instead ends them.
    cancel: () => (iterable.destroy ? iterable.destroy() : iterator.return?.()),
  };
}

/**
 * @param {NonNullable<ReturnType<typeof chunksOf>>} chunks
 * @param {number} limit
 * @param {AbortSignal | null | undefined} signal
 */
async function readAll({ next, cancel }, limit, signal) {
  let abort = () => {};
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => (abort = () => reject(signal?.reason)));
  signal?.addEventListener("abort", abort);
  const read = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([next(), aborted]);
      if (done) break;
      if (!(value instanceof Uint8Array)) {
        throw new SigningError(
          "the body is a stream or list of something other than bytes; serialize objects with `JSON.stringify`",
        );
      }
      length += value.length;
      if (length > limit) {
        throw new SigningError(
          `the body is a stream of more than ${limit} bytes, and it must be read whole to be signed; ` +
            "raise `maxStreamBytes` to allow it",
        );
      }
      read.push(value);
    }
  } catch (error) {
    // Nobody waits for it: one half of a request that was cloned ends only with the other.
    (async () => cancel())().catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of read) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
