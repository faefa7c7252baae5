/** Requests' targets, and answers read: the service's JSON, its errors, or nobody there. */

import { ApiError, AwayError } from "./errors.js";

/**
 * A path with those parameters that have a value.
 *
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} [query]
 */
export function target(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length === 0 ? path : `${path}?${search}`;
}

/**
 * What the service answered.
 *
 * @param {Response} response
 * @returns {Promise<{data: any, etag: string | null}>}
 * @throws {ApiError | AwayError}
 */
export async function read(response) {
  const etag = response.headers.get("etag");
  let content;
  try {
    content = await response.text();
  } catch {
    throw new AwayError();
  }
  let data;
  try {
    data = content === "" ? null : JSON.parse(content);
  } catch {
    // A proxy answered in the service's place.
    throw new AwayError();
  }
  if (response.ok) {
    return { data, etag };
  }
  if (!data?.error) {
    throw new AwayError();
  }
  const retryAfter = Number(response.headers.get("retry-after") ?? NaN);
  throw new ApiError(response.status, data.error, Number.isFinite(retryAfter) ? retryAfter : null);
}
