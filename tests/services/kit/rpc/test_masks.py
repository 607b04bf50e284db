"""Which fields of a resource an update names."""

import pytest

from boxoffice.events.v1 import events_pb2
from services.kit.rpc import masks
from services.kit.rpc.errors import ValidationFailed


def test_a_field_that_is_named_twice_counts_once() -> None:
    """A mask is a set, however a client wrote it."""
    paths = ["name", "venue", "name"]
    assert masks.named(paths, events_pb2.Event()) == {"name", "venue"}


def test_what_is_no_field_is_told() -> None:
    """All of it at once, so that nothing of the update is made."""
    with pytest.raises(ValidationFailed) as refused:
        masks.named(["name", "seats", "colour"], events_pb2.Event())
    told = [violation.message for violation in refused.value.violations]
    assert told == ["'colour' is no field", "'seats' is no field"]
