"""Entity tags (RFC 9110): whether a client already has the representation that it asks for."""

import re

_TAG = re.compile(r'(?:^|,)\s*(?:W/)?"([^"]*)"(?=\s*(?:,|$))')


def matches(tag: str, if_none_match: str) -> bool:
    """Returns whether `If-None-Match` names a tag, by the weak comparison; `*` names every tag.

    `tag` has no quotes.
    """
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
