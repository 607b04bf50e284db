"""Secrets in files: for each secret setting `NAME`, `NAME_FILE` may name a file that has its value.

So a secret need not be in the environment, which other programs of the user can read.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from services.kit.process.setting_names import FILE, variables


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that `variable` names for the setting `field`: its secret, or what is wrong with it.

    `key` is the name that pydantic knows the setting by.
    """

    variable: str
    field: str
    key: str
    secret: str = ""
    mistake: str = ""


class SecretFiles(PydanticBaseSettingsSource):
    """A source of settings: the secrets in files. Files that cannot be used are left out."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Is not used: all files are read together."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """Returns the secrets by the names that pydantic knows their settings by."""
        found = read(self.settings_cls, os.environ)
        return {each.key: each.secret for each in found if not each.mistake}


def read(settings: type[BaseSettings], environment: Mapping[str, str]) -> Sequence[SecretFile]:
    """Reads every file that the environment names for a secret of these settings."""
    given = {name.upper(): value for name, value in environment.items() if value}
    return [
        SecretFile(name + FILE, field, key, *_content(name, given))
        for name, field, key in _secrets(settings)
        if name + FILE in given
    ]


def secret_of(name: str, environment: Mapping[str, str]) -> str:
    """Returns a secret that is no setting of this process; "" if it is nowhere, or unusable.

    The settings of the process that it belongs to describe what is wrong with it.
    """
    given = {key.upper(): value for key, value in environment.items() if value}
    return _content(name, given)[0] if name + FILE in given else given.get(name, "")


def _secrets(settings: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    """Yields the variable of each secret, its field, and the name that pydantic knows it by."""
    for field, info in settings.model_fields.items():
        if not info.repr:
            for name in variables(settings, field, info):
                yield name, field, name if info.validation_alias else field


def _content(name: str, given: Mapping[str, str]) -> tuple[str, str]:
    """Returns the secret and ""; or "" and what is wrong, which does not show the secret."""
    path = given[name + FILE]
    if name in given:
        return "", f"{name} and {name}{FILE} are both set: set one of them"
    try:
        secret = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        return "", f"{name}{FILE}={path} cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return "", f"{name}{FILE}={path} is no text in UTF-8"
    return secret, "" if secret else f"{name}{FILE}={path} is empty"
