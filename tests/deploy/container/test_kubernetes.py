import re
from pathlib import Path

import pytest

from deploy.container import healthy
from services.kit.process import cleartext
from services.kit.server import server
from tests.deploy.container import sample_environment
from tests.deploy.container.files import (
    KUBERNETES,
    OVERLAYS,
    PROCESSES,
    PROJECT,
    Manifest,
    components,
    containers,
    kustomization,
    manifests,
    of_kind,
    pods,
    port_of,
    secrets_of,
    targets,
    variables,
)

SERVICES = ("events", "bookings", "accounts")
NGINX = "nginx.ingress.kubernetes.io"


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    """Returns an overlay."""
    return str(request.param)


@pytest.fixture
def objects(overlay: str) -> list[Manifest]:
    """Returns all objects of an overlay."""
    return list(manifests(overlay))


@pytest.mark.parametrize("folder", [*OVERLAYS, "base", "tls"])
def test_every_file_is_a_resource(folder: str) -> None:
    """A file could be left out, or be missing, so that a part is never installed."""
    resources = kustomization(folder).get("resources", ())
    listed = {path for path in resources if path.endswith(".yaml")}
    there = {path.name for path in (KUBERNETES / folder).glob("*.yaml")}
    assert listed == there - {"kustomization.yaml"}


def test_every_patch_changes_what_it_names(overlay: str) -> None:
    """An object could be renamed, so that its patch no longer finds it."""
    base = manifests("base")
    for folder in (overlay, *components(overlay)):
        for patch in kustomization(folder)["patches"]:
            names = {one["metadata"]["name"] for one in targets(patch, base)}
            assert names == set(patch["target"]["name"].split("|"))
    replicas = {one["name"] for one in kustomization(overlay)["replicas"]}
    assert replicas <= set(of_kind("Deployment", base))


def test_two_objects_never_have_one_name(objects: list[Manifest]) -> None:
    """One object could replace another."""
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("process", [*PROCESSES, "migrate"])
def test_processes_start_with_their_settings(
    process: str, objects: list[Manifest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A variable could be misspelt or missing, or be refused in production."""
    [container] = [one for one in containers(pods(objects)[process]) if one["args"] == [process]]
    given = variables(container, objects)
    settings = sample_environment.load(process, given, monkeypatch, tmp_path)
    assert settings.environment == "production"  # type: ignore[attr-defined]
    assert sample_environment.unread(process, given) == set()
    assert process != "accounts" or settings.code_pepper  # type: ignore[attr-defined]


def test_production_encrypts_what_pods_say_to_each_other() -> None:
    """A listener in the network of the cluster could read tokens and bookings.

    The test above shows that the settings suffice: without TLS they would be refused.
    """
    objects = manifests("production")
    for process in (*PROCESSES, "migrate"):
        template = pods(objects)[process]
        assert all(cleartext.ALLOW not in variables(one, objects) for one in containers(template))
        wanted = {} if process == "migrate" else {"/tls": f"boxoffice-{process}-tls"}
        if process != "gateway":
            wanted["/database-ca"] = "boxoffice-database-ca"
        secrets = {
            volume["name"]: volume["secret"]["secretName"]
            for volume in template["spec"]["volumes"]
            if "secret" in volume
        }
        for container in containers(template):
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert {path: secrets[mounts[path]] for path in wanted} == wanted


def test_probes_speak_as_processes_do(objects: list[Manifest]) -> None:
    """A probe without TLS could take away every replica that has it, or the other way round."""
    has_tls = cleartext.ALLOW not in of_kind("ConfigMap", objects)["boxoffice-settings"]["data"]
    for process in PROCESSES:
        [container] = containers(pods(objects)[process])
        assert (f"{process.upper()}_TLS_CERT" in variables(container, objects)) is has_tls
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            is_of_tls = "exec" in container[probe] or "'scheme': 'HTTPS'" in str(container[probe])
            assert is_of_tls is has_tls
    for ingress in of_kind("Ingress", objects).values():
        assert has_tls
        assert ingress["metadata"]["annotations"][f"{NGINX}/backend-protocol"] == "HTTPS"


def test_targets_are_headless_services(objects: list[Manifest]) -> None:
    """A process could call a port that nobody serves, or one replica of several."""
    services = of_kind("Service", objects)
    called = [
        re.fullmatch(r"dns:///(\w+):(\d+)", str(value))
        for process in PROCESSES
        for name, value in variables(containers(pods(objects)[process])[0], objects).items()
        if name.endswith("_TARGET")
    ]
    assert len(called) == 7
    for target in called:
        assert target is not None
        name, port = target[1], int(target[2])
        assert services[name]["spec"]["clusterIP"] == "None"
        assert services[name]["spec"]["ports"][0]["port"] == port == port_of(name)


def test_ports_are_those_of_the_image(objects: list[Manifest]) -> None:
    """A probe or a service could look at a port on which nothing listens."""
    for process in PROCESSES:
        [container] = containers(pods(objects)[process])
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        assert ports.get("grpc") or ports["http"] == port_of(process)
        service = of_kind("Service", objects)[process]["spec"]
        assert service["ports"][0]["targetPort"] in ports
        assert service["selector"].items() <= pods(objects)[process]["metadata"]["labels"].items()
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            found = container[probe].get("grpc") or container[probe].get("httpGet")
            assert found is None or found["port"] in {*ports, *ports.values()}


def test_no_process_is_restarted_for_its_database(objects: list[Manifest]) -> None:
    """A slow database could make every replica restart, which helps nobody."""
    for service in SERVICES:
        [container] = containers(pods(objects)[service])
        looks_at_database = {
            probe: healthy.DATABASE in str(container[probe]) or "service" in str(container[probe])
            for probe in ("startupProbe", "readinessProbe", "livenessProbe")
        }
        assert [probe for probe, looks in looks_at_database.items() if looks] == ["readinessProbe"]
    [gateway] = containers(pods(objects)["gateway"])
    assert gateway["livenessProbe"]["httpGet"]["path"] == "/health"
    assert gateway["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_processes_have_the_time_to_stop(objects: list[Manifest]) -> None:
    """Requests in flight could be cut off."""
    settings = of_kind("ConfigMap", objects)["gateway-settings"]["data"]
    assert {"GATEWAY_DRAIN_SECONDS", "GATEWAY_GRACE_SECONDS"} <= settings.keys()
    own = {
        "gateway": sum(float(settings[f"GATEWAY_{name}_SECONDS"]) for name in ("DRAIN", "GRACE")),
        **dict.fromkeys(SERVICES, server.DRAIN_SECONDS + 2 * server.GRACE_SECONDS),
    }
    for process, seconds in own.items():
        template = pods(objects)[process]["spec"]
        [container] = template["containers"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert template["terminationGracePeriodSeconds"] > pause + seconds


def test_every_container_is_confined(objects: list[Manifest]) -> None:
    """A container could take all memory of its node, write into its image, or become root."""
    for template in pods(objects).values():
        pod = template["spec"]["securityContext"]
        assert (pod["runAsNonRoot"], pod["seccompProfile"]["type"]) == (True, "RuntimeDefault")
        assert template["spec"]["automountServiceAccountToken"] is False
        for container in containers(template):
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_replica_can_be_moved(objects: list[Manifest]) -> None:
    """A node could not be emptied, or be emptied of all replicas at once."""
    budgets = of_kind("PodDisruptionBudget", objects)
    for process in PROCESSES:
        spec = budgets[process]["spec"]
        assert spec["maxUnavailable"] == 1
        assert spec["selector"]["matchLabels"].items() <= (
            pods(objects)[process]["metadata"]["labels"].items()
        )
    assert set(budgets) == set(PROCESSES)


def test_gateways_grow_with_their_load(objects: list[Manifest]) -> None:
    """A rush could meet as many gateways as a quiet night has."""
    scaler = of_kind("HorizontalPodAutoscaler", objects)["gateway"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == "gateway"
    assert scaler["minReplicas"] < scaler["maxReplicas"]
    # Kubernetes would reset what the scaler decided at each `apply`.
    assert "replicas" not in of_kind("Deployment", objects)["gateway"]["spec"]


def test_the_image_has_the_version_of_the_project(overlay: str) -> None:
    """An installation could run another release than the one that describes it."""
    project = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    [image] = kustomization(overlay)["images"]
    assert version is not None
    assert image["newTag"] == version[1]
    images = {
        container["image"]
        for template in pods(manifests(overlay)).values()
        for container in containers(template)
    } - {image["name"]}
    assert all(re.search(r":\d[\w.-]+$", name) for name in images)


def test_single_makes_every_secret() -> None:
    """A pod could wait for ever for a secret that nothing makes."""
    made = {
        (one["name"], file.partition("=")[0])
        for one in kustomization("single")["secretGenerator"]
        for file in one["files"]
    }
    wanted = {(one.name, one.key) for one in secrets_of(manifests("single")) if not one.is_optional}
    assert wanted == made


def test_the_documents_list_every_secret() -> None:
    """An operator could not learn which secrets have to exist."""
    page = (PROJECT / "docs/containers.md").read_text(encoding="utf-8")
    volumes = [
        volume
        for template in pods(manifests("production")).values()
        for volume in template["spec"].get("volumes", ())
    ]
    mounted = {each["secret"]["secretName"] for each in volumes if "secret" in each}
    assert {name for name in mounted if f"| `{name}` |" not in page} == set()
    for secret in secrets_of(manifests("production")):
        assert re.search(rf"^\| `{secret.name}` \|.*`{secret.key}`", page, re.MULTILINE), secret
