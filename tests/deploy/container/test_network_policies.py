from collections.abc import Iterator
from typing import Any

from tests.deploy.container.files import (
    PROCESSES,
    Manifest,
    containers,
    manifests,
    of_kind,
    pods,
    port_of,
)

SERVICES = ("events", "bookings", "accounts")
EVERYBODY = (*PROCESSES, "migrate", "postgresql")
CALLS = {
    *(("gateway", service) for service in SERVICES),
    ("events", "bookings"),
    ("events", "accounts"),
    ("bookings", "events"),
    ("bookings", "accounts"),
    *((client, "postgresql") for client in (*SERVICES, "migrate")),
}


def test_only_those_who_must_reach_each_other() -> None:
    """A gateway could reach the database, or a stranger a service; or a service not its peer."""
    objects = manifests("single")
    ports = {**{name: port_of(name) for name in PROCESSES}, "postgresql": 5432, "migrate": 1}
    allowed = {
        (caller, callee)
        for caller in EVERYBODY
        for callee in EVERYBODY
        if callee not in {caller, "gateway"}
        and may_leave(caller, callee, ports[callee], objects)
        and may_enter(caller, callee, ports[callee], objects)
    }
    assert allowed == CALLS
    strangers = {name for name in EVERYBODY if may_enter(None, name, ports[name], objects)}
    assert strangers == {"gateway"}


def may_leave(caller: str, callee: str, port: int, objects: Any) -> bool:
    """Returns whether a policy lets a pod call another one."""
    rules = list(rules_of("Egress", caller, objects))
    return rules == [] or any(
        allows(rule, "to", callee, {port}, objects) for rule in rules if rule is not None
    )


def may_enter(caller: str | None, callee: str, port: int, objects: Any) -> bool:
    """Returns whether a policy lets a pod, or a stranger (None), call another one."""
    names = {
        one["name"]
        for container in containers(pods(objects)[callee])
        for one in container.get("ports", ())
        if one["containerPort"] == port
    }
    rules = list(rules_of("Ingress", callee, objects))
    return rules == [] or any(
        allows(rule, "from", caller, {port, *names}, objects) for rule in rules if rule is not None
    )


def rules_of(kind: str, name: str, objects: Any) -> Iterator[Manifest | None]:
    """Yields the rules of all policies for a pod; None for a policy that only refuses."""
    for policy in of_kind("NetworkPolicy", objects).values():
        spec = policy["spec"]
        if kind in spec["policyTypes"] and selects(spec["podSelector"], name, objects):
            yield None
            yield from spec.get(kind.lower(), ())


def allows(
    rule: Manifest, peers: str, name: str | None, ports: set[int | str], objects: Any
) -> bool:
    """Returns whether a rule admits a pod, or a stranger of this cluster, at one of the ports."""
    if rule.get("ports") and not ports & {one["port"] for one in rule["ports"]}:
        return False
    if peers not in rule:
        return True
    selectors = [one["podSelector"] for one in rule[peers] if "podSelector" in one]
    return name is not None and any(selects(one, name, objects) for one in selectors)


def selects(selector: Manifest, name: str, objects: Any) -> bool:
    """Returns whether a selector of a policy selects a pod."""
    labels = pods(objects)[name]["metadata"]["labels"]
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ())
    )
