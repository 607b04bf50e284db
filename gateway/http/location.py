"""The paths of resources that answers name: `/events/{id}` filled with what is known."""

from collections.abc import Mapping
from urllib.parse import quote

from gateway.contract.bindings import VARIABLE


class Location:
    """A path template, taken apart once; an empty one never names anything."""

    def __init__(self, template: str) -> None:
        self._names = VARIABLE.findall(template)
        self._form = VARIABLE.sub("%s", template.replace("%", "%%"))

    def fill(self, values: Mapping[str, object]) -> bytes | None:
        """Gives the path, or None where a value is not known."""
        if not self._names:
            return None
        try:
            parts = [values[name] for name in self._names]
        except KeyError:
            return None
        return (self._form % tuple(map(_escaped, parts))).encode()


def _escaped(value: object) -> object:
    return value if type(value) is int else quote(str(value), safe="")
