"""The fields that the mask of an update names."""

import pytest

from boxoffice.events.v1 import events_pb2
from services.kit.rpc import masks
from services.kit.rpc.errors import ValidationFailed


def test_a_field_that_is_named_twice_counts_once() -> None:
    """A field that a client names twice could be updated twice, or be refused."""
    paths = ["name", "venue", "name"]
    assert masks.fields(paths, events_pb2.Event()) == {"name", "venue"}


def test_unknown_fields_are_refused() -> None:
    """A part of the update could be made, or a misspelt field be ignored."""
    with pytest.raises(ValidationFailed) as refused:
        masks.fields(["name", "seats", "colour"], events_pb2.Event())
    told = [violation.message for violation in refused.value.violations]
    assert told == ["'colour' is no field", "'seats' is no field"]
