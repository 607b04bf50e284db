"""The comments of the contract, for the documentation: generated Python has none."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

Comments = Mapping[str, str]
"""Comments by the full name of what they are about; a value of an enum is `package.Enum.VALUE`."""


def load() -> Comments:
    """Reads the comments that are installed with the contract."""
    contract = FileDescriptorSet.FromString((files("boxoffice") / "contract.binpb").read_bytes())
    return dict(pair for file in contract.file for pair in _of_file(file))


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        if location.leading_comments and len(location.path) % 2 == 0:
            yield _full_name(file, location.path), _unwrapped(location.leading_comments)


def _full_name(file: FileDescriptorProto, path: Sequence[int]) -> str:
    """Follows a path of field numbers and indexes to what it leads to."""
    element: Any = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=True):
        element = getattr(element, element.DESCRIPTOR.fields_by_number[number].name)[index]
        names.append(element.name)
    return ".".join(names)


def _unwrapped(comment: str) -> str:
    return " ".join(comment.split())
