import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2, status_pb2

import services
from boxoffice.bookings.v1 import bookings_pb2, inventory_pb2
from boxoffice.events.v1 import catalogue_pb2, events_pb2
from boxoffice.rest.v1 import reasons_pb2, rest_pb2
from boxoffice.type.v1 import money_pb2
from services.kit.rpc import errors
from services.kit.rpc.errors import (
    Internal,
    PermissionDenied,
    Received,
    Refusal,
    ValidationFailed,
    Violation,
    refusal_from_status,
    status_of,
)

CONTRACTS: tuple[ModuleType, ...] = (bookings_pb2, inventory_pb2, catalogue_pb2, events_pb2)
# Reasons that only services see have no HTTP status.
INTERNAL = {"HISTORY_GONE"}


def refusals() -> list[type[Refusal]]:
    """Returns the refusals of kit and of all services."""
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if not module.name.endswith(("__main__", ".migrate")):
            import_module(module.name)
    return [
        refusal
        for refusal in _below(Refusal)
        if hasattr(refusal, "reason") and refusal.__module__.startswith("services.")
    ]


def _below(parent: type[Refusal]) -> Iterator[type[Refusal]]:
    for child in parent.__subclasses__():
        yield child
        yield from _below(child)


def made(refusal: type[Refusal]) -> Refusal:
    """Returns a refusal with metadata and, where it names fields, violations."""
    return refusal(violations=[Violation("event.name", "is missing")], booking_id=7, absent=None)


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.__name__)
def test_a_refusal_is_the_same_after_its_conversion(refusal: type[Refusal]) -> None:
    """The code, reason, metadata or fields of a refusal could be lost between processes."""
    original = made(refusal)
    heard = refusal_from_status(
        status_pb2.Status.FromString(status_of(original).SerializeToString())
    )
    assert heard is not None
    assert (heard.code, heard.reason) == (original.code, original.reason)
    assert heard.metadata == {"booking_id": "7"}
    assert list(heard.violations) == [Violation("event.name", "is missing")]


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.__name__)
def test_a_status_has_exactly_one_error_info(refusal: type[Refusal]) -> None:
    """A client could find no reason, or two of them (AIP-193)."""
    status = status_of(made(refusal))
    infos = [d for d in status.details if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    assert len(infos) == 1
    info = error_details_pb2.ErrorInfo.FromString(infos[0].value)
    assert info.domain == errors.DOMAIN
    assert status.message.endswith((".", "again", "key."))
    assert "\n" not in status.message


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.__name__)
def test_every_reason_is_in_the_catalogue_with_its_status(refusal: type[Refusal]) -> None:
    """A refusal could have a reason without an HTTP status."""
    if refusal.reason in INTERNAL:
        return
    value = reasons_pb2.Reason.Value(f"REASON_{refusal.reason}")
    rule = reasons_pb2.Reason.DESCRIPTOR.values_by_number[value].GetOptions()
    assert 400 <= rule.Extensions[reasons_pb2.reason].status <= 599


def test_every_declared_refusal_is_one_that_a_service_gives() -> None:
    """The contract could list a refusal that no service raises."""
    given = {refusal.reason for refusal in refusals()}
    for contract in CONTRACTS:
        for service in contract.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                declared = method.GetOptions().Extensions[rest_pb2.method].refusals
                names = {reasons_pb2.Reason.Name(reason) for reason in declared}
                assert {name.removeprefix("REASON_") for name in names} <= given, method.full_name


def test_one_reason_has_one_code() -> None:
    """One reason could have two codes, so that clients handle it in two ways."""
    codes = {(refusal.reason, refusal.code) for refusal in refusals()}
    assert len(codes) == len({reason for reason, _ in codes})


def test_a_received_refusal_is_passed_on_as_it_came() -> None:
    """A refusal could be changed by each service that passes it on."""
    first = status_of(ValidationFailed(violations=[Violation("x", "y")], field="x"))
    heard = refusal_from_status(first)
    assert heard is not None
    again = status_of(heard)
    assert (again.code, list(again.details)) == (first.code, list(first.details))


def test_details_pass_from_process_to_process() -> None:
    """A client could get the reason alone, or bytes that are not those of the first answer."""
    details = money_pb2.Money(amount_minor=1250, currency="EUR")
    first = status_of(Received(grpc.StatusCode.ABORTED, "SOLD_OUT", details=details))
    heard = refusal_from_status(first)
    assert heard is not None
    assert heard.details == details
    assert status_of(heard).details == first.details


def test_details_of_a_later_release_are_left_out() -> None:
    """A refusal could become a failure while services are being replaced."""
    status = status_of(PermissionDenied())
    status.details.add(type_url="type.googleapis.com/boxoffice.later.v1.Details", value=b"x")
    heard = refusal_from_status(status)
    assert heard is not None
    assert (heard.reason, heard.details) == ("PERMISSION_DENIED", None)


def test_a_refusal_has_the_details_that_the_contract_names() -> None:
    """Clients could get details that no documentation shows."""
    with pytest.raises(TypeError, match="no details of"):
        PermissionDenied(details=money_pb2.Money())


def test_the_details_of_every_reason_are_a_message_of_the_contract() -> None:
    """A misspelt name would be found by the first client that is refused."""
    for value in reasons_pb2.Reason.DESCRIPTOR.values:
        if name := value.GetOptions().Extensions[reasons_pb2.reason].details:
            found = descriptor_pool.Default().FindMessageTypeByName(name)
            assert found.full_name == name


@pytest.mark.parametrize(
    "status",
    [
        status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="Socket closed"),
        status_pb2.Status(code=grpc.StatusCode.OK.value[0]),
    ],
)
def test_a_status_without_error_info_is_no_refusal(status: status_pb2.Status) -> None:
    """An error of the transport could be taken for the decision of a service."""
    assert refusal_from_status(status) is None


def test_an_error_info_of_another_domain_is_no_refusal() -> None:
    """An error of a proxy could be taken for the decision of a service."""
    status = status_of(PermissionDenied())
    info = error_details_pb2.ErrorInfo(reason="PERMISSION_DENIED", domain="proxy.example")
    del status.details[:]
    status.details.add().Pack(info)
    assert refusal_from_status(status) is None


def test_the_message_is_the_first_line_of_the_docstring() -> None:
    """Clients could get a message that nobody reviewed."""
    assert str(Internal()) == "A defect of ours."
    assert str(Received(grpc.StatusCode.ABORTED, "X"))
