"""A tool's result as a client reads it: text with its numbers in place, and the same as data with every receipt.

Called by app/mcp/calls.py. This is an exit: text is rendered by tools/common/render.py, what looks like a key is masked.
"""

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, get_args

from engine.redaction import redacted
from tools.common.contract import Fact, Status, ToolResult
from tools.common.render import markdown_table, safe, value_text
from tools.setups import POSTED

EVIDENCE_MAX = 12  # ids that the text names; the data has all of them
AGAIN = "Call the tool again with the same arguments for the answer."
SCHEMA: dict[
    str, Any
] = {  # of the data; short, because a client may show it to its model with every tool (docs/mcp.md has all of it)
    "type": "object",
    "required": ["status", "text", "facts", "evidence", "desk"],
    "properties": {"status": {"enum": list(get_args(Status))}},
}
_HASH_NAMES, _HASH = ("sha256", "_hash"), re.compile(r"[0-9a-f]{16,64}")
_REFERENCE = re.compile(r"\{(\w+\.\w+)\}")


def text_of(result: ToolResult, facts: Mapping[str, Fact], desk: Mapping[str, Any]) -> str:
    """The result as markdown: what it says, its table, and what desk these figures are of. `facts`: those shown so far."""
    parts = [result.text.replace(POSTED, AGAIN)]
    if result.table is not None:
        parts.append(markdown_table(result.table))
    if result.evidence:
        parts.append("Evidence: " + ", ".join(f"{one.kind} {one.id}" for one in result.evidence[:EVIDENCE_MAX]) + ".")
    parts.append(f"Desk: {desk['stamp']}, {desk['source']} bars, desk time {desk['time'] or 'not started'}.")
    filled = _REFERENCE.sub(lambda found: value_text(facts[found[1]]) if found[1] in facts else found[0], "\n\n".join(parts))
    return redacted(safe(filled), _hashes_of(result.data))


def data_of(result: ToolResult, facts: Mapping[str, Fact], desk: Mapping[str, Any]) -> dict[str, Any]:
    """The result as JSON values: its facts with unit and receipt, also those of earlier calls that its text names."""
    named = [ref for ref in dict.fromkeys(_REFERENCE.findall(result.text)) if ref in facts]
    shown = {fact.ref: fact for fact in (*result.facts, *(facts[ref] for ref in named))}
    value = result._replace(text=result.text.replace(POSTED, AGAIN), facts=tuple(shown.values())).as_json()
    for fact in value["facts"]:
        fact["shown"] = value_text(shown[fact["ref"]])
    made = _json_value({**value, "desk": dict(desk)}, _hashes_of(result.data))
    assert isinstance(made, dict)  # noqa: S101 - it went in as one
    return made


def _hashes_of(value: Any, name: str = "") -> set[str]:
    """The hashes that a tool returns in fields named so: they are computed by our code, and the journal prints them too."""
    if isinstance(value, Mapping):
        return set().union(*(_hashes_of(one, str(key)) for key, one in value.items()))
    if isinstance(value, list | tuple):
        return set().union(*(_hashes_of(one, name) for one in value))
    is_hash = isinstance(value, str) and name.endswith(_HASH_NAMES) and _HASH.fullmatch(value) is not None
    return {value} if is_hash else set()


def _json_value(value: Any, hashes: Collection[str]) -> Any:
    """JSON values alone: no NaN, texts without keys."""
    if isinstance(value, str):
        return redacted(value, hashes)
    if isinstance(value, Mapping):
        return {str(key): _json_value(one, hashes) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(one, hashes) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)
