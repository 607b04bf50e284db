"""The refusals of this service, in addition to those of kit, and its errors at start.

Refusal
├── ApiKeyNotFound         NOT_FOUND            NOT_FOUND
├── UserNotFound           NOT_FOUND            USER_NOT_FOUND
├── InvalidCredentials     UNAUTHENTICATED      INVALID_CREDENTIALS
├── InvalidCode            INVALID_ARGUMENT     INVALID_CODE
├── EmailTaken             ALREADY_EXISTS       EMAIL_TAKEN
└── RateLimited            RESOURCE_EXHAUSTED   RATE_LIMITED, with `retry_after_seconds`

StartError
├── NoSigningKeyError      in production, keys are made by the operator
├── DevelopmentKeyError    in production, no key may be one generated for development
└── NoPepperError          in production, all replicas must share a pepper
"""

import grpc

from services.kit.rpc.errors import Refusal, StartError


class ApiKeyNotFound(Refusal):
    """The account has no such API key."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class UserNotFound(Refusal):
    """No account has this address."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"


class NoSigningKeyError(StartError):
    """There is no signing key, and production generates none."""

    def __init__(self) -> None:
        super().__init__("there is no signing key: make one with `boxoffice rotate-keys`")


class DevelopmentKeyError(StartError):
    """A signing key was generated for development, so that anybody may have it."""

    def __init__(self) -> None:
        super().__init__(
            "a signing key was generated for development: "
            "replace it with `boxoffice rotate-keys --compromised`"
        )


class NoPepperError(StartError):
    """Without a shared pepper one replica could not check the codes of another."""

    def __init__(self) -> None:
        super().__init__("ACCOUNTS_CODE_PEPPER is not set: choose a long random secret")


class InvalidCredentials(Refusal):
    """No account has this address and password."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "INVALID_CREDENTIALS"


class InvalidCode(Refusal):
    """The e-mailed code is wrong, used up or too old."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_CODE"


class EmailTaken(Refusal):
    """An account with this address exists."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "EMAIL_TAKEN"


class RateLimited(Refusal):
    """Too many codes for this address."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"
