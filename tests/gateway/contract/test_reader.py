"""What the gateway does not serve is noticed when it starts."""

from dataclasses import replace

import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from boxoffice.rest.v1 import rest_pb2
from gateway.contract import reader
from gateway.contract.bindings import Binding
from gateway.contract.messages import ContractError
from tests.gateway import sample
from tests.gateway.bindings import ruled, with_rule

WATCH = health_pb2.DESCRIPTOR.services_by_name["Health"].methods_by_name["Watch"]
REFLECT = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].methods[0]
NUMBERED = rest_pb2.MethodRule(paging=rest_pb2.PAGING_NUMBER)


def test_a_list_needs_what_numbers_are_made_of() -> None:
    """The first client that turns a page would find out that there is no total."""
    reader.check(ruled("ListEvents", NUMBERED))
    with pytest.raises(ContractError, match="lacks `page`"):
        reader.check(ruled("ListBookings", NUMBERED))


@pytest.mark.parametrize(
    ("quota", "is_kept"),
    [
        (rest_pb2.Quota(requests=1, seconds=1), True),
        (rest_pb2.Quota(requests=1, seconds=1, field="user_id"), True),
        (rest_pb2.Quota(requests=1, seconds=1, field="userId"), False),
        (rest_pb2.Quota(seconds=1), False),
        (rest_pb2.Quota(requests=1), False),
    ],
)
def test_a_quota_is_of_something_and_for_a_time(quota: rest_pb2.Quota, is_kept: bool) -> None:
    """A quota of a field that no body has would limit nobody."""
    binding = ruled("Reserve", rest_pb2.MethodRule(quotas=[quota]))
    if is_kept:
        reader.check(binding)
    else:
        with pytest.raises(ContractError, match="cannot be kept"):
            reader.check(binding)


@pytest.mark.parametrize(
    ("other", "is_told"),
    [
        (rest_pb2.OtherSuccess(field="replayed", status=200), True),
        (rest_pb2.OtherSuccess(field="replayed", status=404), False),
        (rest_pb2.OtherSuccess(field="replayed"), False),
        (rest_pb2.OtherSuccess(field="inventory_revision", status=200), False),
        (rest_pb2.OtherSuccess(field="unknown", status=200), False),
        (rest_pb2.OtherSuccess(status=200), False),
    ],
)
def test_another_success_is_told_by_a_bool(other: rest_pb2.OtherSuccess, is_told: bool) -> None:
    """A response would get its other status by a field that it does not have."""
    binding = ruled("Reserve", rest_pb2.MethodRule(other_success=other))
    if is_told:
        reader.check(binding)
    else:
        with pytest.raises(ContractError, match="nothing tells"):
            reader.check(binding)


def test_a_lane_is_a_field() -> None:
    """What a batch finds busy would be told apart by nothing."""
    reader.check(ruled("Reserve", rest_pb2.MethodRule(lane="event_id")))
    with pytest.raises(ContractError, match="no field"):
        reader.check(ruled("Reserve", rest_pb2.MethodRule(lane="seat")))


@pytest.mark.parametrize(
    ("rpc", "objection"), [(WATCH, "streams messages"), (REFLECT, "streams requests")]
)
def test_only_bodies_can_be_streamed(rpc: MethodDescriptor, objection: str) -> None:
    """The first client would find out that a stream of other messages has no form in HTTP."""
    public = rest_pb2.MethodRule(access=rest_pb2.ACCESS_PUBLIC)
    with pytest.raises(ContractError, match=objection):
        reader.check(with_rule(Binding(rpc, "GET", "/", "", ""), public))


def test_a_stream_shares_no_batch() -> None:
    """A stream would be held back until the others of its batch end."""
    streamed = sample.binding("Watch")
    reader.check(streamed)
    with pytest.raises(ContractError, match="cannot share a batch"):
        reader.check(with_rule(streamed, rest_pb2.MethodRule(batched=True)))


def test_a_get_is_declared_to_have_no_side_effects() -> None:
    """The gateway would repeat a call that changes something, or never repeat a read."""
    reserve = ruled("Reserve", rest_pb2.MethodRule())
    with pytest.raises(ContractError, match="NO_SIDE_EFFECTS"):
        reader.check(replace(reserve, http_method="GET", body=""))
