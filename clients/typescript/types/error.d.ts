/** The request cannot be signed or sent as it is. Its message holds no secret. */
export class SigningError extends Error {
}
