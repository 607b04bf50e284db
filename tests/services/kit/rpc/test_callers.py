import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.rest.v1 import rest_pb2
from services.kit.rpc import callers
from services.kit.rpc.callers import ANONYMOUS, SERVICE, Caller, Role, Rule, rule_of
from services.kit.rpc.errors import PermissionDenied, Unauthenticated

PUBLIC = Rule(rest_pb2.ACCESS_PUBLIC)
OPEN = Rule(rest_pb2.ACCESS_OPEN, rest_pb2.SCOPE_BOOKINGS_WRITE)
OF_SERVICES = Rule(rest_pb2.ACCESS_SERVICE)
OF_USERS = Rule(rest_pb2.ACCESS_USER, rest_pb2.SCOPE_BOOKINGS_READ)
OF_ORGANIZERS = Rule(rest_pb2.ACCESS_ORGANIZER, rest_pb2.SCOPE_EVENTS_WRITE)
OF_ADMINS = Rule(rest_pb2.ACCESS_ADMIN, rest_pb2.SCOPE_EVENTS_WRITE)
WITHOUT_SCOPE = Rule(rest_pb2.ACCESS_USER)
RULES = (PUBLIC, OPEN, OF_SERVICES, OF_USERS, OF_ORGANIZERS, OF_ADMINS, WITHOUT_SCOPE)
OK, WHO, NO = None, Unauthenticated, PermissionDenied


def key(role: Role, *scopes: rest_pb2.Scope.ValueType) -> Caller:
    """Returns the caller of an API key."""
    return Caller("acct_1", role, frozenset(scopes))


@pytest.mark.parametrize(
    ("caller", "answers"),
    [
        # PUBLIC, OPEN, SERVICE, USER, ORGANIZER, ADMIN, USER without a scope for keys
        (ANONYMOUS, (OK, WHO, NO, WHO, WHO, WHO, WHO)),
        (SERVICE, (OK, OK, OK, NO, NO, OK, NO)),
        (Caller("acct_1", Role.USER), (OK, OK, NO, OK, NO, NO, OK)),
        (Caller("acct_1", Role.ORGANIZER), (OK, OK, NO, OK, OK, NO, OK)),
        (Caller("acct_1", Role.ADMIN), (OK, OK, NO, OK, OK, OK, OK)),
        (key(Role.ADMIN), (OK, NO, NO, NO, NO, NO, NO)),
        (key(Role.USER, rest_pb2.SCOPE_BOOKINGS_READ), (OK, NO, NO, OK, NO, NO, NO)),
        (key(Role.USER, rest_pb2.SCOPE_BOOKINGS_WRITE), (OK, OK, NO, NO, NO, NO, NO)),
        (key(Role.USER, rest_pb2.SCOPE_EVENTS_WRITE), (OK, NO, NO, NO, NO, NO, NO)),
        (key(Role.ORGANIZER, rest_pb2.SCOPE_EVENTS_WRITE), (OK, NO, NO, NO, OK, NO, NO)),
        (key(Role.ADMIN, rest_pb2.SCOPE_EVENTS_WRITE), (OK, NO, NO, NO, OK, NO, NO)),
        (key(Role.ADMIN, rest_pb2.SCOPE_BOOKINGS_ANY_USER), (OK, OK, NO, OK, NO, NO, NO)),
    ],
)
def test_a_rule_admits_or_refuses(
    caller: Caller, answers: tuple[type[Exception] | None, ...]
) -> None:
    """An RPC could admit a kind of caller that its rule excludes, or refuse one."""
    for rule, refusal in zip(RULES, answers, strict=True):
        if refusal is None:
            callers.admit(caller, rule, open_access=False)
            continue
        with pytest.raises(refusal):
            callers.admit(caller, rule, open_access=False)


def test_open_access_admits_to_open_rpcs_only() -> None:
    """Open access could let anonymous callers use RPCs that need an account."""
    callers.admit(ANONYMOUS, OPEN, open_access=True)
    for rule, refusal in zip(RULES, (OK, OK, NO, WHO, WHO, WHO, WHO), strict=True):
        if refusal is not None:
            with pytest.raises(refusal):
                callers.admit(ANONYMOUS, rule, open_access=True)


def test_open_access_gives_a_key_no_scope() -> None:
    """An API key could do more under open access than its scopes allow."""
    with pytest.raises(PermissionDenied):
        callers.admit(key(Role.USER), OPEN, open_access=True)


def test_no_api_key_is_an_admin() -> None:
    """A leaked API key could have all rights of an admin."""
    assert Caller("acct_1", Role.ADMIN).is_admin
    assert SERVICE.is_admin
    everything = key(Role.ADMIN, *(s for s in rest_pb2.Scope.values() if s))
    assert not everything.is_admin
    assert everything.acts_for_anyone
    assert not key(Role.ADMIN, rest_pb2.SCOPE_BOOKINGS_WRITE).acts_for_anyone


def test_the_rule_of_a_method_is_in_the_contract() -> None:
    """The rule or the scope of an RPC could differ from the contract."""
    methods = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"].methods_by_name
    assert rule_of(methods["GetAvailability"]).access == rest_pb2.ACCESS_PUBLIC
    assert rule_of(methods["Reserve"]).access == rest_pb2.ACCESS_OPEN


def test_a_method_without_a_rule_is_refused() -> None:
    """An RPC without a rule could be open to everybody by mistake."""
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="forgotten.proto", package="forgotten")
    file.message_type.add(name="Nothing")
    service = file.service.add(name="Service")
    service.method.add(name="Do", input_type=".forgotten.Nothing", output_type=".forgotten.Nothing")
    pool.Add(file)
    with pytest.raises(ValueError, match="does not say who may call it"):
        rule_of(pool.FindMethodByName("forgotten.Service.Do"))
