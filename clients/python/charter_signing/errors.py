"""What can be wrong with a request to sign. No message holds a secret."""


class SigningError(ValueError):
    """The request cannot be signed as it is."""


class MissingCredential(SigningError):
    """An environment variable is not set."""


class ForeignOrigin(SigningError):
    """The request goes to another scheme, host or port than the signer's base URL."""
