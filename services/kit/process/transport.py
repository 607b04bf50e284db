"""The settings of encryption on the network, for every process."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from services.kit.process import cleartext
from services.kit.process.sources import EnvironmentSettings
from services.kit.tls.files import TlsFiles, UnusableFileError, read


class TransportSettings(EnvironmentSettings):
    """Settings of TLS; in production a process refuses to talk to other hosts without it."""

    environment: Literal["development", "production"] = Field(
        default="development", validation_alias="BOXOFFICE_ENV"
    )
    """Where this runs; `production` refuses failpoints, weak secrets, generated signing keys, and
    connections to other hosts without encryption."""

    allow_cleartext: bool = Field(default=False, validation_alias=cleartext.ALLOW)
    """Whether production may talk to other hosts without encryption, because something else
    encrypts it, such as a service mesh."""

    tls_cert: Path | None = None
    """File with the certificate of this process and those between it and the CA, in PEM. It is read
    again when it changes, as are the two others."""

    tls_key: Path | None = None
    """File with the key of the certificate, in PEM."""

    tls_ca: Path | None = None
    """File with the certificates of the CA that other processes are checked by, in PEM. With it
    both sides of a gRPC connection show a certificate."""

    def variable(self, name: str) -> str:
        """Returns the variable of a setting that has the prefix of this process."""
        return f"{self.model_config['env_prefix']}{name}".upper()

    @property
    @abstractmethod
    def channel_tls(self) -> TlsFiles | None:
        """The files for calling other processes; None if that is not encrypted."""

    @abstractmethod
    def tls_files(self) -> Sequence[tuple[str, TlsFiles]]:
        """Returns the files that the process uses together, each with the setting to blame."""

    @abstractmethod
    def cleartext(self) -> Iterator[str]:
        """Yields what would cross the network without encryption, or empty texts."""

    @model_validator(mode="after")
    def _refuse_unusable_files(self) -> Self:
        """Refuses certificates and keys that cannot be used."""
        for name, files in self.tls_files():
            try:
                read(files)
            except UnusableFileError as error:
                raise ValueError(f"{self.variable(name)} cannot be used: {error}") from error
        return self

    @model_validator(mode="after")
    def _refuse_nameless_targets(self) -> Self:
        """Refuses lists of addresses with TLS: a certificate is checked for one name."""
        for name, target in self._targets() if self.channel_tls else ():
            if len(cleartext.hosts_of(target)) > 1:
                wanted = "with TLS it must have one name, as in dns:///bookings.internal:50052"
                raise ValueError(f"{name}={target} has no name: {wanted}")
        return self

    @model_validator(mode="after")
    def _refuse_cleartext(self) -> Self:
        """Refuses cleartext between hosts in production."""
        is_strict = self.environment == "production" and not self.allow_cleartext
        found = list(filter(None, self.cleartext())) if is_strict else []
        if found:
            raise ValueError("\n".join(found))
        return self

    def cleartext_targets(self, remedy: str) -> Iterator[str]:
        """Yields what is wrong with calling other processes without TLS."""
        if self.channel_tls is None:
            for name, target in self._targets():
                yield cleartext.of_target(name, target, remedy)

    def _targets(self) -> Iterator[tuple[str, str]]:
        """Yields the processes that this one calls, each with its variable."""
        for name in type(self).model_fields:
            if name.endswith("_target"):
                yield self.variable(name), getattr(self, name)
