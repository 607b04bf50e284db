"""Field masks of updates."""

from collections.abc import Iterable

from google.protobuf.message import Message

from services.kit.rpc.errors import ValidationFailed, Violation


def fields(paths: Iterable[str], resource: Message) -> set[str]:
    """Returns the fields that a mask names; raises ValidationFailed for unknown ones."""
    names = set(paths)
    if unknown := sorted(names - set(resource.DESCRIPTOR.fields_by_name)):
        raise ValidationFailed(
            violations=[Violation("update_mask", f"{path!r} is no field") for path in unknown]
        )
    return names
