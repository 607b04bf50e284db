"""The contract in other languages: protos/ is built without a network."""

import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

PROTOS = Path(__file__).parents[2] / "protos"
BIN = Path(sys.executable).parent


def run(*command: str | Path, folder: Path) -> None:
    """Runs a program with an empty home; shows its output if it fails."""
    environment = {"HOME": str(folder), "PATH": f"{BIN}:/usr/bin:/bin"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_buf_builds_the_folder_as_it_is(tmp_path: Path) -> None:
    """An import could be missing, so that every team would have to fetch it."""
    run("buf", "build", PROTOS, "--output", "contract.binpb", folder=tmp_path)
    assert (tmp_path / "contract.binpb").stat().st_size > 0


def test_buf_generates_with_a_local_plugin(tmp_path: Path) -> None:
    """TypeScript and Go, which need local plugins, could not be generated."""
    template = '{"version": "v2", "plugins": [{"local": "protoc-gen-mypy", "out": "gen"}]}'
    run("buf", "generate", PROTOS, "--template", template, folder=tmp_path)
    made = tmp_path / "gen/boxoffice/bookings/v1/bookings_pb2.pyi"
    assert "class ReserveRequest" in made.read_text(encoding="utf-8")


def test_protoc_reads_every_file(tmp_path: Path) -> None:
    """A file could need more include paths than the README names."""
    files = [path.relative_to(PROTOS) for path in PROTOS.glob("boxoffice/**/*.proto")]
    protoc(tmp_path, f"--python_out={tmp_path}", *files)
    assert len(list(tmp_path.rglob("*_pb2.py"))) == len(files)


def test_our_copy_of_the_rules_is_that_of_the_validator(tmp_path: Path) -> None:
    """The validator could ignore rules that its version does not know."""
    compiled = tmp_path / "validate.binpb"
    protoc(tmp_path, f"--descriptor_set_out={compiled}", "buf/validate/validate.proto")
    [ours] = FileDescriptorSet.FromString(compiled.read_bytes()).file
    theirs = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    for file in (ours, theirs):
        file.ClearField("options")  # namespaces of other languages
    assert ours == theirs


def protoc(folder: Path, *arguments: str | Path) -> None:
    """Runs protoc with the options that the README names."""
    paths = (f"-I{PROTOS}", f"-I{PROTOS / 'third_party'}")
    run(sys.executable, "-m", "grpc_tools.protoc", *paths, *arguments, folder=folder)
