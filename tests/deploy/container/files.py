"""Reads what containers are made of and started by: Containerfile, Compose, Kubernetes."""

import copy
import functools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[3]
CONTAINERFILE = PROJECT / "deploy/container/Containerfile"
COMPOSE = PROJECT / "deploy/compose.yaml"
KUBERNETES = PROJECT / "deploy/kubernetes"
OVERLAYS = ("single", "production")
PROCESSES = ("gateway", "events", "bookings", "accounts")
Manifest = Mapping[str, Any]


def image_environment() -> Mapping[str, str]:
    """Returns the variables that the image sets."""
    text = CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    *_, final = re.split(r"^FROM ", text, flags=re.MULTILINE)
    words = [shlex.split(line) for line in re.findall(r"^ENV (.+)$", final, re.MULTILINE)]
    return dict(word.split("=", 1) for line in words for word in line)


def port_of(process: str) -> int:
    """Returns the port that a process listens on in the image."""
    environment = image_environment()
    if process == "gateway":
        return int(environment["PORT"])
    return int(environment[f"{process.upper()}_LISTEN"].rpartition(":")[2])


@functools.cache
def compose() -> Manifest:
    """Returns the content of compose.yaml, with the defaults of its variables."""
    text = COMPOSE.read_text(encoding="utf-8")
    loaded: Manifest = yaml.safe_load(re.sub(r"\$\{\w+:-(.*?)\}", r"\1", text))
    return loaded


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that a manifest refers to."""

    name: str
    key: str
    is_optional: bool = False


@functools.cache
def kustomization(folder: str) -> Manifest:
    """Returns the kustomization of a folder of deploy/kubernetes."""
    [loaded] = _load(KUBERNETES / folder / "kustomization.yaml")
    return loaded


@functools.cache
def manifests(folder: str) -> Sequence[Manifest]:
    """Returns the objects of an overlay or of the base, with its patches and components."""
    description = kustomization(folder)
    found = [one for path in description["resources"] for one in _resource(folder, path)]
    for component in components(folder):
        _patch(found, kustomization(component))
    _patch(found, description)
    for replicas in description.get("replicas", ()):
        for one in found:
            if one["kind"] == "Deployment" and one["metadata"]["name"] == replicas["name"]:
                one["spec"]["replicas"] = replicas["count"]
    return found


def components(folder: str) -> Sequence[str]:
    """Returns the folders of the components that an overlay has."""
    return [path.removeprefix("../") for path in kustomization(folder).get("components", ())]


def targets(patch: Manifest, objects: Sequence[Manifest]) -> Sequence[Any]:
    """Returns the objects that a patch is for."""
    target = patch["target"]
    return [
        one
        for one in objects
        if one["kind"] == target["kind"] and re.fullmatch(target["name"], one["metadata"]["name"])
    ]


def of_kind(kind: str, objects: Sequence[Manifest]) -> Mapping[str, Manifest]:
    """Returns the objects of a kind by their names."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def pods(objects: Sequence[Manifest]) -> Mapping[str, Manifest]:
    """Returns the templates of all pods by the names of what makes them."""
    makers = ("Deployment", "StatefulSet", "Job")
    return {
        one["metadata"]["name"]: one["spec"]["template"] for one in objects if one["kind"] in makers
    }


def containers(template: Manifest) -> Sequence[Manifest]:
    """Returns all containers of a pod."""
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def variables(container: Manifest, objects: Sequence[Manifest]) -> Mapping[str, str | Secret]:
    """Returns the variables of a container of Kubernetes; secrets by reference."""
    maps = of_kind("ConfigMap", objects)
    found: dict[str, str | Secret] = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]["data"]
    for entry in container.get("env", ()):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        found[entry["name"]] = (
            Secret(reference["name"], reference["key"], reference.get("optional", False))
            if reference
            else entry["value"]
        )
    return found


def secrets_of(objects: Sequence[Manifest]) -> Iterator[Secret]:
    """Yields every secret that the pods of these objects refer to."""
    for template in pods(objects).values():
        for container in containers(template):
            values = variables(container, objects).values()
            yield from (value for value in values if isinstance(value, Secret))


def _patch(objects: Sequence[Manifest], description: Manifest) -> None:
    for patch in description.get("patches", ()):
        for target in targets(patch, objects):
            for operation in yaml.safe_load(patch["patch"]):
                _apply(target, operation)


def _resource(folder: str, path: str) -> Sequence[Manifest]:
    found = KUBERNETES / folder / path
    if found.is_dir():
        # A copy, which the patches of an overlay may change.
        return copy.deepcopy(manifests(found.resolve().name))
    return _load(found)


def _load(path: Path) -> Sequence[Manifest]:
    """Returns the documents of a YAML file."""
    return list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))


def _apply(target: Any, operation: Manifest) -> None:
    """Applies an operation of a JSON patch. Raises KeyError where its place does not exist."""
    *parents, last = operation["path"].strip("/").split("/")
    for parent in parents:
        target = target[int(parent) if isinstance(target, list) else parent]
    if operation["op"] == "replace" and last not in target:
        raise KeyError(operation["path"])
    # kubectl copies a value for each object that it is added to.
    value = copy.deepcopy(operation["value"])
    if last == "-":
        target.append(value)
    else:
        target[last] = value
