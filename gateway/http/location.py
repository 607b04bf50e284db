"""The paths of resources that responses name: `/events/{id}` with its values filled in."""

from collections.abc import Mapping
from urllib.parse import quote

from gateway.contract.bindings import VARIABLE


class Location:
    """A path template, parsed once; an empty one has no path."""

    def __init__(self, template: str) -> None:
        self._names = VARIABLE.findall(template)
        self._form = VARIABLE.sub("%s", template.replace("%", "%%"))

    def fill(self, values: Mapping[str, object]) -> bytes | None:
        """Returns the path, or None if a value is missing."""
        if not self._names:
            return None
        try:
            parts = [values[name] for name in self._names]
        except KeyError:
            return None
        return (self._form % tuple(map(_escaped, parts))).encode()


def _escaped(value: object) -> object:
    return value if type(value) is int else quote(str(value), safe="")
