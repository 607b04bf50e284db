"""Messages that JSON shows as the value of their only field."""

from google.protobuf.descriptor import Descriptor

from boxoffice.rest.v1 import rest_pb2
from gateway.contract.messages import ContractError, Field, fields


def only_field(message: Descriptor) -> Field | None:
    """Returns the field that stands for an unwrapped message; None for any other message.

    Raises ContractError for a message that JSON cannot show so.
    """
    if not message.GetOptions().Extensions[rest_pb2.message].unwrapped:
        return None
    match fields(message):
        case [only] if not only.descriptor.has_presence:
            return only
    raise ContractError(
        f"{message.full_name} is unwrapped, but is not one value that is always set"
    )


def json_path(message: Descriptor, path: str) -> str:
    """Translates the path of a field to JSON's, which does not name the fields of such messages."""
    shown = ""
    within: Descriptor | None = message
    for part in path.split("."):
        name, bracket, index = part.partition("[")
        is_hidden = within is not None and only_field(within) is not None
        shown += bracket + index if is_hidden else f".{part}"
        within = _type_of(within, name)
    return shown.removeprefix(".")


def _type_of(message: Descriptor | None, name: str) -> Descriptor | None:
    """Returns the type of a message's field; the name within the entry of a map is its key."""
    if message is None:
        return None
    name = "value" if message.GetOptions().map_entry else name
    field = message.fields_by_name.get(name)
    return None if field is None else field.message_type
