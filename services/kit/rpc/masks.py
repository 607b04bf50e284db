"""Which fields of a resource an update names."""

from collections.abc import Iterable

from google.protobuf.message import Message

from services.kit.rpc.errors import ValidationFailed, Violation


def named(paths: Iterable[str], resource: Message) -> set[str]:
    """Gives the fields that the paths of a mask name; raises ValidationFailed for what is none."""
    names = set(paths)
    if unknown := sorted(names - set(resource.DESCRIPTOR.fields_by_name)):
        raise ValidationFailed(
            violations=[Violation("update_mask", f"{path!r} is no field") for path in unknown]
        )
    return names
