"""What this service cannot do, besides refusing with what kit's tree has.

StartError                 the service must not serve like this; the message is for the operator
├── NoSigningKeyError      in production, keys are made by the operator
└── DevelopmentKeyError    in production, a generated key is as good as a published one
"""


class StartError(Exception):
    """The service must not start."""


class NoSigningKeyError(StartError):
    """There is no key to sign tokens with, and in production none is generated."""

    def __init__(self) -> None:
        super().__init__("there is no signing key: make one with `boxoffice rotate-keys`")


class DevelopmentKeyError(StartError):
    """A key that was generated for development would be believed in production."""

    def __init__(self) -> None:
        super().__init__(
            "a signing key was generated for development: "
            "replace it with `boxoffice rotate-keys --compromised`"
        )
