"""The contract: schemas a strict format accepts, outside text as data, one handle a thing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.catalog import ENTRIES
from tools.common.contract import UNITS, Args, Effect, Evidence, clean, make_facts, strict


def objects(node: Any) -> list[dict[str, Any]]:
    """Every object schema inside a schema."""
    if isinstance(node, dict):
        own = [node] if node.get("type") == "object" else []
        return own + [found for part in node.values() for found in objects(part)]
    return [found for part in node for found in objects(part)] if isinstance(node, list) else []


@pytest.mark.parametrize("line", ENTRIES, ids=lambda line: line.tool.name)
def test_every_schema_is_strict_safe(line: Any) -> None:
    """No free-form object, every property required, no reference: what strict formats demand."""
    schema = line.tool.schema()
    for found in objects(schema):
        assert found["additionalProperties"] is False
        assert found["required"] == list(found["properties"])
    assert "$ref" not in str(schema)
    assert "default" not in str(schema).replace("defaults", "")
    assert line.tool.about


def test_a_schema_is_its_callers_own() -> None:
    """Model formats add to what they are given: the next caller finds the schema as it was."""
    line = next(line for line in ENTRIES if line.tool.schema()["properties"])
    before = json.dumps(line.tool.schema())
    line.tool.schema()["properties"].clear()
    assert json.dumps(line.tool.schema()) == before


def test_a_free_form_object_is_no_argument() -> None:
    """A model must not send keys that no code has named."""

    class Loose(Args):
        anything: dict[str, int]

    with pytest.raises(ValueError, match="free-form"):
        strict(Loose.model_json_schema())


@given(st.text())
def test_outside_text_loses_its_tricks(text: str) -> None:
    """No control character, no direction override, no more than the length."""
    out = clean(text, 50)
    assert len(out) <= 50
    assert not any(ord(c) < 32 and c not in "\t\n" for c in out)
    assert "\u202e" not in out
    out.encode()


def test_numbers_carry_their_reference() -> None:
    """A fact's reference is handle and metric."""
    (fact,) = make_facts("r1", "trend BTC-USDT", Evidence("run", "run-7"), {"sharpe": (1.2, "ratio")})
    assert (fact.ref, fact.value, fact.unit) == ("r1.sharpe", 1.2, "ratio")
    assert fact.unit in UNITS


def test_a_thing_keeps_its_handle(make_ctx: Any) -> None:
    """The first run is r1, the second r2, and a known one keeps its name."""
    ctx = make_ctx()
    assert [ctx.handle("r", run) for run in ("a", "b", "a")] == ["r1", "r2", "r1"]
    assert ctx.handle("e", "a") == "e1"


def test_no_effect_writes() -> None:
    """READ, COMPUTE, PROPOSE: there is no fourth."""
    assert [effect.value for effect in Effect] == ["READ", "COMPUTE", "PROPOSE"]
