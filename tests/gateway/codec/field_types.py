"""A method of a contract for tests: its message has the types of fields that REST can carry."""

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Proto

from boxoffice.rest.v1 import rest_pb2
from boxoffice.type.v1 import money_pb2
from buf.validate import validate_pb2
from gateway.contract.bindings import Binding
from gateway.contract.reader import read_bindings

PACKAGE = "tests.field_types"
MAPS = {
    "prices": (Proto.TYPE_STRING, Proto.TYPE_MESSAGE, ".boxoffice.type.v1.Money"),
    "labels": (Proto.TYPE_INT32, Proto.TYPE_STRING, None),
    "shares": (Proto.TYPE_STRING, Proto.TYPE_DOUBLE, None),
}


def binding() -> Binding:
    """Returns the method `PUT /sample`, which takes a Sample and returns it."""
    pool = descriptor_pool.Default()
    try:
        service = pool.FindServiceByName(f"{PACKAGE}.SampleService")
    except KeyError:
        pool.AddSerializedFile(_file().SerializeToString())
        service = pool.FindServiceByName(f"{PACKAGE}.SampleService")
    [found] = read_bindings([service])
    return found


def _file() -> descriptor_pb2.FileDescriptorProto:
    modules = (annotations_pb2, rest_pb2, money_pb2, timestamp_pb2, validate_pb2)
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/field_types.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[module.DESCRIPTOR.name for module in modules],
    )
    sample = file.message_type.add(name="Sample")
    _add(sample, "ratio", Proto.TYPE_DOUBLE).double.lte = 1
    _add(sample, "digest", Proto.TYPE_BYTES).bytes.max_len = 32
    for name, (key, value, type_name) in MAPS.items():
        entry = sample.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=key, label=Proto.LABEL_OPTIONAL)
        entry.field.add(
            name="value", number=2, type=value, type_name=type_name, label=Proto.LABEL_OPTIONAL
        )
        rules = _add(sample, name, Proto.TYPE_MESSAGE, f".{PACKAGE}.Sample.{entry.name}")
        rules.map.max_pairs = 3
    method = file.service.add(name="SampleService").method.add(
        name="PutSample", input_type=f".{PACKAGE}.Sample", output_type=f".{PACKAGE}.Sample"
    )
    method.options.Extensions[annotations_pb2.http].put = "/sample"
    method.options.Extensions[annotations_pb2.http].body = "*"
    method.options.Extensions[rest_pb2.method].access = rest_pb2.ACCESS_PUBLIC
    return file


def _add(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    kind: Proto.Type.ValueType,
    type_name: str | None = None,
) -> validate_pb2.FieldRules:
    label = Proto.LABEL_REPEATED if kind == Proto.TYPE_MESSAGE else Proto.LABEL_OPTIONAL
    field = message.field.add(
        name=name, number=len(message.field) + 1, type=kind, type_name=type_name, label=label
    )
    rules: validate_pb2.FieldRules = field.options.Extensions[validate_pb2.field]
    return rules
