"""The names of the variables that settings are read from."""

from collections.abc import Iterator

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

FILE = "_FILE"
"""What the name of a secret has at its end if the variable names a file with the secret."""


def names_of(settings: type[BaseSettings]) -> frozenset[str]:
    """Returns the names of all variables that these settings are read from."""
    fields = settings.model_fields.items()
    return frozenset(
        each
        for key, field in fields
        for name in variables(settings, key, field)
        for each in ([name] if field.repr else [name, name + FILE])
    )


def variables(settings: type[BaseSettings], name: str, field: FieldInfo) -> tuple[str, ...]:
    """Returns the names of the variables that one setting is read from, the first one first."""
    prefix = settings.model_config.get("env_prefix", "")
    return tuple(aliases(field)) or (f"{prefix}{name}".upper(),)


def aliases(field: FieldInfo) -> Iterator[str]:
    """Returns the names of a setting that has names of its own, without the prefix."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return (choice for choice in choices if isinstance(choice, str))
