"""What a client may send: the size and depth of a message, the name it gives itself. Called by app/mcp's transports and calls.

A message is looked at as bytes, before anything parses it.
"""

import re

MESSAGE_MAX = 64 * 1024  # bytes of one message; the longest arguments of a tool need a tenth of it
DEPTH_MAX = 24  # levels of a message; a comparison of several variants needs eight
NAME_MAX = 40

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)  # an open one ends the message: none starts anew behind it
_BRACKET = re.compile(rb"[\[\]{}]")
_NAME = re.compile(r"[^a-z0-9._]+")


def fault_of(message: bytes) -> str:
    """Why a message is not read; empty when it may be."""
    if len(message) > MESSAGE_MAX:
        return f"a message may have {MESSAGE_MAX} bytes"
    return f"a message may be {DEPTH_MAX} levels deep" if nesting(message) > DEPTH_MAX else ""


def nesting(message: bytes) -> int:
    """The deepest level of brackets outside texts."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", message)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def client_name(given: object) -> str:
    """The name that a client gives itself, as it is journaled: lower-case letters, digits, `.`, `_` and `-`."""
    return _NAME.sub("-", str(given)[: 4 * NAME_MAX].lower()).strip("-")[:NAME_MAX].strip("-") or "unnamed"
