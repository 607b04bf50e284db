import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.container import make_secrets
from services.kit.server import server
from tests.deploy.container import sample_environment
from tests.deploy.container.files import (
    PROCESSES,
    PROJECT,
    compose,
    image_environment,
    kustomization,
    port_of,
)

SERVICES: Mapping[str, Any] = compose()["services"]
OWN = (*PROCESSES, "migrate", "first-key")
DOCKER_POOLS = (*(f"172.{number}.0.0/16" for number in range(17, 32)), "192.168.0.0/16")
"""Networks that Docker makes by itself, if its configuration names no others."""


def test_every_process_is_there() -> None:
    """A process could be missing."""
    commands = {name: SERVICES[name]["command"] for name in OWN}
    assert commands == {
        **{name: [name] for name in (*PROCESSES, "migrate")},
        "first-key": ["rotate-keys", "--first"],
    }


@pytest.mark.parametrize("process", [*PROCESSES, "migrate"])
def test_processes_start_with_their_settings(
    process: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A variable could be misspelt or missing, or be refused in production."""
    given = SERVICES[process]["environment"]
    settings = sample_environment.load(process, given, monkeypatch, tmp_path)
    assert settings.environment == "production"  # type: ignore[attr-defined]
    assert sample_environment.unread(process, given) == set()
    assert process != "accounts" or settings.code_pepper  # type: ignore[attr-defined]


def test_targets_are_where_processes_listen() -> None:
    """A process could call a port that nobody serves."""
    targets = [
        re.fullmatch(r"dns:///(\w+):(\d+)", value)
        for process in PROCESSES
        for name, value in SERVICES[process]["environment"].items()
        if name.endswith("_TARGET")
    ]
    assert len(targets) == 7
    for target in targets:
        assert target is not None
        assert int(target[2]) == port_of(target[1])


def test_secrets_are_files_that_the_process_gets() -> None:
    """A secret could be read by a process that does not need it, or be missing where it is."""
    for service in SERVICES.values():
        named = {
            value.removeprefix("/run/secrets/")
            for name, value in service.get("environment", {}).items()
            if name.endswith("_FILE")
        }
        assert named == set(service.get("secrets", ()))


def test_every_secret_is_made() -> None:
    """`docker compose` could ask for a file that nothing makes, or a secret have no use."""
    files = {Path(one["file"]) for one in compose()["secrets"].values()}
    assert {path.parent for path in files} == {Path(".secrets")}
    assert {path.name for path in files} == set(make_secrets.missing({}))


def test_secrets_are_in_no_variable() -> None:
    """`docker inspect` could show a secret."""
    for process in OWN:
        for name, value in SERVICES[process]["environment"].items():
            assert not re.search("KEY|PEPPER|PASSWORD|DATABASE_URL", name) or (
                name.endswith("_FILE") and value.startswith("/run/secrets/")
            )


def test_only_those_who_must_reach_each_other() -> None:
    """The database or a service could be reached from outside."""
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    members = {
        network: {name for name, its in networks.items() if network in its}
        for network in compose()["networks"]
    }
    assert members == {
        "database": {"postgresql", "migrate", "first-key", "events", "bookings", "accounts"},
        "services": {"gateway", "events", "bookings", "accounts", "prometheus"},
        "counters": {"gateway", "valkey"},
        "monitoring": {"prometheus", "grafana"},
        "web": {"gateway", "caddy"},
        "outgoing": {"bookings", "accounts"},
        "public": {"caddy", "grafana"},
    }
    open_networks = {name for name, one in compose()["networks"].items() if not one.get("internal")}
    assert open_networks == {"outgoing", "public"}
    assert {name for name, one in SERVICES.items() if "ports" in one} == {"caddy", "grafana"}


def test_gateways_trust_the_proxy_only() -> None:
    """A client could choose the address that it is limited by."""
    assert SERVICES["gateway"]["environment"]["GATEWAY_TRUSTED_PROXIES"] == web_network()


def test_no_network_is_one_that_docker_chooses() -> None:
    """A network that Docker chose could overlap, and then nothing would start."""
    network = ipaddress.ip_network(web_network())
    assert not any(network.overlaps(ipaddress.ip_network(pool)) for pool in DOCKER_POOLS)


def test_images_have_exact_versions() -> None:
    """An upgrade could happen by itself, at a restart."""
    for name in SERVICES.keys() - set(OWN):
        assert re.search(r":v?\d+\.\d+[\w.-]*$", SERVICES[name]["image"])
    [image] = kustomization("single")["images"]
    ours = f"{image['newName']}:{image['newTag']}"
    assert {SERVICES[name]["image"] for name in OWN} == {ours}


def test_every_container_has_limits() -> None:
    """One container could take all memory, or fill the disk with its log."""
    for service in SERVICES.values():
        assert service["mem_limit"]
        assert (
            service.get("logging", {}).get("options", {}).get("max-size") or "profiles" in service
        )
    for process in OWN:
        assert SERVICES[process]["read_only"] is True
        assert SERVICES[process]["cap_drop"] == ["ALL"]


def test_processes_have_the_time_to_stop() -> None:
    """Requests in flight could be cut off."""
    for process in PROCESSES:
        seconds = int(SERVICES[process]["stop_grace_period"].removesuffix("s"))
        assert seconds > server.DRAIN_SECONDS + 2 * server.GRACE_SECONDS


def test_health_checks_name_their_process() -> None:
    """A container could be healthy because another process is."""
    for process in PROCESSES:
        assert SERVICES[process]["healthcheck"]["test"][-2:] == ["healthy", process]


def test_prometheus_asks_every_process() -> None:
    """A process could be missing from every dashboard, or have another name than in the alerts."""
    settings = (PROJECT / "deploy/container/prometheus.yaml").read_text(encoding="utf-8")
    rules = (PROJECT / "deploy/monitoring/rules.yaml").read_text(encoding="utf-8")
    asked = re.findall(
        r"job_name: boxoffice-(\w+)\n.*\n.*names: \[(\w+)\], type: A, port: (\d+)", settings
    )
    environment = image_environment()
    ports = {
        name: environment[f"{name.upper()}_METRICS_LISTEN"].rpartition(":")[2]
        for name in ("events", "bookings", "accounts")
    }
    assert [(job, int(port)) for job, name, port in asked if job == name] == [
        ("gateway", port_of("gateway")),
        *((name, int(port)) for name, port in ports.items()),
    ]
    assert 'up{job=~"boxoffice.*"}' in rules


def test_every_file_that_is_mounted_exists() -> None:
    """Docker would make an empty folder in the place of a file that is missing."""
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    files = [volume.partition(":")[0] for volume in mounts if volume.startswith("./")]
    assert len(files) == 6
    for file in files:
        assert (PROJECT / "deploy" / file).is_file(), file


def web_network() -> str:
    """Returns the addresses of the network between the proxy and the gateways."""
    [web] = compose()["networks"]["web"]["ipam"]["config"]
    return str(web["subnet"])
