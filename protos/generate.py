"""Generates the Python code of the contract, and checks that what is committed is what it gives.

`python protos/generate.py` writes, `--check` compares and fails on drift.
"""

import argparse
import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
FOREIGN = ROOT / "third_party"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
VALIDATE = "buf/validate/validate.proto"
PACKAGES = ("boxoffice", "buf")
COMMENTED = "boxoffice/contract.binpb"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi", "contract.binpb")
BIN = Path(sys.executable).parent


def main() -> int:
    """Writes or checks the generated code; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the committed code differs")
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory)
        generate(output)
        if parser.parse_args().check:
            return check(output)
        install(output)
    return 0


def generate(output: Path) -> None:
    """Runs protoc over every file of the contract, into `output`."""
    files = contract()
    run(
        *(f"--plugin={BIN / plugin}" for plugin in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
        f"--python_out={output}",
        f"--mypy_out={output}",
        f"--grpc_python_out={output}",
        f"--mypy_grpc_out={output}",
        *files,
    )
    # Generated Python has no comments, and the REST documentation is made of them.
    run("--include_source_info", f"--descriptor_set_out={output / COMMENTED}", *own())


def contract() -> list[str]:
    """Names every .proto file to generate code for, as imports name them."""
    return [*own(), VALIDATE]


def own() -> list[str]:
    """Names every .proto file of ours."""
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("boxoffice/**/*.proto"))


def run(*arguments: str) -> None:
    """Runs protoc with every import of the contract in reach; ends the script if that fails."""
    includes = (f"--proto_path={folder}" for folder in (ROOT, FOREIGN, WELL_KNOWN))
    status = protoc.main(["protoc", *includes, *arguments])
    if status != 0:
        sys.exit(status)


def check(output: Path) -> int:
    """Compares `output` with the committed code; names what differs and returns the status."""
    made = set(generated(output))
    drifted = made ^ set(generated(ROOT))
    drifted |= {
        file
        for file in made - drifted
        if not filecmp.cmp(output / file, ROOT / file, shallow=False)
    }
    for file in sorted(drifted):
        print(f"protos/{file} is not what the contract gives; run `make protos`", file=sys.stderr)
    return 1 if drifted else 0


def install(output: Path) -> None:
    """Replaces the committed code by what is in `output`."""
    for file in generated(ROOT):
        (ROOT / file).unlink()
    for file in generated(output):
        (ROOT / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(output / file, ROOT / file)


def generated(root: Path) -> list[Path]:
    """Lists the generated files below `root`, relative to it."""
    return sorted(
        path.relative_to(root)
        for package in PACKAGES
        for pattern in GENERATED
        for path in (root / package).rglob(pattern)
    )


if __name__ == "__main__":
    sys.exit(main())
