"""Describes who may call an endpoint, in Markdown and as OpenAPI's security requirements."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from boxoffice.rest.v1 import rest_pb2
from gateway.codec.constraints import Schema
from gateway.contract.bindings import Binding
from gateway.contract.comments import Comments

TOKEN = "bearer"  # noqa: S105 - the name of a scheme
SCHEMES: Mapping[str, Schema] = MappingProxyType(
    {
        TOKEN: {
            "type": "http",
            "scheme": "bearer",
            "description": "The `access_token` of a log-in (`POST /auth/login`), or an API key.",
        }
    }
)

_NEEDED: Sequence[Schema] = ({TOKEN: []},)
_SECURITY: Mapping[int, Sequence[Schema]] = MappingProxyType(
    {rest_pb2.ACCESS_PUBLIC: (), rest_pb2.ACCESS_OPEN: ({}, *_NEEDED)}
)
"""Requirements of methods that do not always need a token; an empty one stands for no token."""


def security(binding: Binding) -> list[Schema]:
    """Returns the security requirements; a caller must meet one of them."""
    return list(_SECURITY.get(binding.rule.access, _NEEDED))


def describe(binding: Binding, comments: Comments) -> str:
    """Describes in Markdown who may call, and which scope an API key needs."""
    rule = binding.rule
    name = rest_pb2.Access.Name(rule.access)
    comment = comments.get(f"boxoffice.rest.v1.Access.{name}", name)
    sentences = [f"**Who may call:** {comment.partition('.')[0]}."]
    if rule.scope:
        scope = rest_pb2.Scope.Name(rule.scope).removeprefix("SCOPE_")
        sentences.append(f"An API key needs the scope `{scope}`.")
    elif rule.access != rest_pb2.ACCESS_PUBLIC:
        sentences.append("API keys are not accepted.")
    return " ".join(sentences)
