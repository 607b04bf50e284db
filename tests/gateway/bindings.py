"""Bindings of the contract with a rule that it does not have."""

import dataclasses

from boxoffice.rest.v1 import rest_pb2
from gateway.contract.bindings import Binding
from gateway.contract.reader import read_bindings
from gateway.services import BOOKINGS, EVENTS


def ruled(name: str, rule: rest_pb2.MethodRule) -> Binding:
    """Finds the first binding of an RPC and gives it what the rule says besides its own."""
    found = next(b for b in read_bindings([EVENTS, BOOKINGS]) if b.rpc.name == name)
    return with_rule(found, rule)


def with_rule(found: Binding, rule: rest_pb2.MethodRule) -> Binding:
    """Returns a binding with what the rule says besides its own."""
    changed = rest_pb2.MethodRule()
    changed.MergeFrom(found.rule)
    changed.MergeFrom(rule)
    binding = dataclasses.replace(found)
    vars(binding)["rule"] = changed  # where the property keeps it
    return binding
