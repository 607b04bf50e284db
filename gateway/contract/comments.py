"""The comments of the contract, for the documentation: generated Python has none."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

Comments = Mapping[str, str]
"""Comments by the full name of what they are about; a value of an enum is `package.Enum.VALUE`."""

_SENTENCE = re.compile(r"(?<=[.:]) (?=[A-Z`])")
_OF_RPCS = re.compile(r"^Refuses |\b[A-Z]+(_[A-Z]+)*/[A-Z]+|\bmetadata\b", re.IGNORECASE)
_BY_MASK = "that `update_mask` names"
"""Which fields an update changes; the gateway makes the mask of those that are there."""


def load() -> Comments:
    """Reads the comments that are installed with the contract."""
    contract = FileDescriptorSet.FromString((files("boxoffice") / "contract.binpb").read_bytes())
    return dict(pair for file in contract.file for pair in _of_file(file))


def of_endpoint(comment: str) -> tuple[str, str]:
    """Splits the comment of an RPC into a summary and a description for readers of REST.

    What it refuses with they find among the answers, by the codes that they get.
    """
    told = comment.replace(_BY_MASK, "that are sent")
    sentences = [each for each in _SENTENCE.split(told) if not _OF_RPCS.search(each)]
    summary, *others = sentences or [""]
    return summary.removesuffix(".").replace("`", ""), " ".join(others)


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
