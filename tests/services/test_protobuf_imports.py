"""Where services know protobuf: the generated modules have no packages that import-linter sees."""

import re
from pathlib import Path

import pytest

import services

ROOT = Path(services.__file__).parent
MAY_IMPORT = re.compile(r"(servicer|messages|\w+_client|__main__)\.py")
PROTOBUF = re.compile(r"^(from|import) .*_pb2", re.MULTILINE)


@pytest.mark.parametrize("service", ["accounts"])
def test_only_servicers_messages_and_clients_import_protobuf(service: str) -> None:
    """Rules that work on messages would change with every field of the contract."""
    importing = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / service).rglob("*.py")
        if PROTOBUF.search(path.read_text(encoding="utf-8"))
    ]
    assert importing, "the search must find something"
    assert [path for path in importing if not MAY_IMPORT.fullmatch(Path(path).name)] == []
