"""What a team that uses another language does with protos/, without a network."""

import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

PROTOS = Path(__file__).parents[2] / "protos"
BIN = Path(sys.executable).parent


def run(*command: str | Path, folder: Path) -> None:
    """Runs a program in an empty home, and shows what it says when it fails."""
    environment = {"HOME": str(folder), "PATH": f"{BIN}:/usr/bin:/bin"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_buf_builds_the_folder_as_it_is(tmp_path: Path) -> None:
    """An import that is missing would have to be fetched by everybody, each in their own way."""
    run("buf", "build", PROTOS, "--output", "contract.binpb", folder=tmp_path)
    assert (tmp_path / "contract.binpb").stat().st_size > 0


def test_buf_generates_with_a_local_plugin(tmp_path: Path) -> None:
    """That is how TypeScript and Go are generated; the plugin at hand is one for Python's types."""
    template = '{"version": "v2", "plugins": [{"local": "protoc-gen-mypy", "out": "gen"}]}'
    run("buf", "generate", PROTOS, "--template", template, folder=tmp_path)
    made = tmp_path / "gen/boxoffice/bookings/v1/bookings_pb2.pyi"
    assert "class ReserveRequest" in made.read_text(encoding="utf-8")


def test_protoc_reads_every_file(tmp_path: Path) -> None:
    """Two include paths are enough, whatever it is to generate."""
    files = [path.relative_to(PROTOS) for path in PROTOS.glob("boxoffice/**/*.proto")]
    protoc(tmp_path, f"--python_out={tmp_path}", *files)
    assert len(list(tmp_path.rglob("*_pb2.py"))) == len(files)


def test_rules_are_those_that_the_validator_was_built_with(tmp_path: Path) -> None:
    """A validator of another version would read rules that it does not know, and pass over them."""
    compiled = tmp_path / "validate.binpb"
    protoc(tmp_path, f"--descriptor_set_out={compiled}", "buf/validate/validate.proto")
    [ours] = FileDescriptorSet.FromString(compiled.read_bytes()).file
    theirs = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    for file in (ours, theirs):
        file.ClearField("options")  # namespaces of other languages
    assert ours == theirs


def protoc(folder: Path, *arguments: str | Path) -> None:
    """Runs protoc as the README says."""
    paths = (f"-I{PROTOS}", f"-I{PROTOS / 'third_party'}")
    run(sys.executable, "-m", "grpc_tools.protoc", *paths, *arguments, folder=folder)
