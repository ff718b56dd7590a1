"""Whatever comes in through the API's door has a bound, and what is beyond it is told in one line."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlmodel import select

from app.api import turns
from app.api.factory import create
from app.home.home import Home
from engine.control import halt
from engine.errors import DataError
from engine.store import db
from engine.store.journal import read
from engine.store.tables import Halt
from tests.fakes.waiting import until

Json = dict[str, Any]
LOWEST, HIGHEST = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}


@pytest.fixture
def schema(home: Home) -> Json:
    """What the API says it takes."""
    value: Json = create(home).app.openapi()
    return value


def operations(schema: Json) -> Iterator[tuple[str, str, Json]]:
    """Each path, method and operation."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def resolved(schema: Json, part: Json) -> Json:
    """A schema, past its reference."""
    name = part.get("$ref", "").rpartition("/")[2]
    found: Json = schema["components"]["schemas"][name] if name else part
    return found


def unbounded(schema: Json, part: Json, where: str) -> Iterator[str]:
    """Where a value may be as long, as many, as large or as odd as its sender likes."""
    part = resolved(schema, part)
    kind = part.get("type")
    for one in [*part.get("anyOf", ()), *part.get("oneOf", ()), *part.get("allOf", ())]:
        yield from unbounded(schema, one, where)
    if kind == "string" and not {"maxLength", "enum", "const"} & set(part):
        yield f"{where}: a string without maxLength"
    if kind in ("integer", "number") and not (LOWEST & set(part) and HIGHEST & set(part)):
        yield f"{where}: a number without both bounds"
    if kind == "array":
        if "maxItems" not in part:
            yield f"{where}: an array without maxItems"
        yield from unbounded(schema, part.get("items", {}), f"{where}[]")
    if kind == "object":
        if part.get("additionalProperties") is not False:
            yield f"{where}: an object that takes unknown keys"
        for name, one in part.get("properties", {}).items():
            yield from unbounded(schema, one, f"{where}.{name}")
    if not {"type", "anyOf", "oneOf", "allOf", "enum", "const"} & set(part):
        yield f"{where}: anything"


def test_every_value_that_comes_in_has_a_bound(schema: Json) -> None:
    """Each parameter and each key of each body, walked through the schema."""
    found = []
    for path, method, operation in operations(schema):
        asked = [(f"{x['in']} {x['name']}", x["schema"]) for x in operation.get("parameters", ())]
        content = operation.get("requestBody", {}).get("content", {})
        asked += [("body", one["schema"]) for one in content.values()]
        found += [f"{method} {path} {fault}" for where, part in asked for fault in unbounded(schema, part, where)]
    assert not found


def test_the_walk_sees_what_has_no_bound() -> None:
    """A walk that finds nothing anywhere would prove nothing."""
    part = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "list": {"type": "array", "items": {"type": "number", "minimum": 0}},
            "free": {},
            "either": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer"}]},
        },
    }
    found = list(unbounded({}, part, "body"))
    assert [one.split(":")[0] for one in found] == ["body", "body.text", "body.list", "body.list[]", "body.free", "body.either"]


@pytest.mark.parametrize("reason", ["\\ud800 alone", "a null \\u0000 byte"])
def test_a_halts_reason_of_odd_characters_reaches_every_place(served: Any, home: Home, reason: str) -> None:
    """File, database and journal: none holds such a character, and the halt is recorded all the same."""
    with served.client() as client:
        answer = client.post("/api/halt", content=f'{{"reason": "{reason}"}}', headers={"content-type": "application/json"})
    assert answer.status_code == 200
    until(lambda: home.people_journal.exists() and any(e.kind == "halt" for e in read(home.people_journal)), "no halt event")
    with db.read(home.engine) as session:
        rows = session.exec(select(Halt)).all()
    written = next(e for e in read(home.people_journal) if e.kind == "halt").body["reason"]
    assert [row.reason for row in rows] == [written] == [answer.json()["reason"]]
    assert "\0" not in written
    written.encode()


UNREAD = "the body cannot be read: not UTF-8, or nested too deeply"
FAULTS: tuple[tuple[str | bytes, int, str], ...] = (
    ("{", 422, "the body is not JSON: Expecting property name enclosed in double quotes at character 1"),
    ("[" * 60_000, 400, UNREAD),
    (b'{"role": "\xff"}', 400, UNREAD),
    ('{"role": "operator", "text": "a\\u0000b"}', 422, "text: it holds a null byte or half a character: leave that out"),
    (
        '{"role": "operator", "text": "x", "thread": "\\ud800"}',
        422,
        "thread: it holds a null byte or half a character: leave that out",
    ),
)


def test_a_body_that_cannot_be_read_says_what_and_where(api: httpx.Client) -> None:
    """One line for the sender, with what to do."""
    for body, status, words in FAULTS:
        answer = api.post("/api/turns", content=body, headers={"content-type": "application/json"})
        fault = answer.json()["error"]
        assert (answer.status_code, fault["what"]) == (status, words)
        assert fault["hint"]


def test_readers_of_streams_have_a_bound(api: httpx.Client, served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams hold connections: one too many is refused with what to do, and a reader who leaves makes room."""
    turn = api.post("/api/turns", json={"role": "operator", "text": "status"}).json()["turn"]
    monkeypatch.setattr(turns, "READERS_MAX", 0)
    refused = api.get(f"/api/turns/{turn}/events")
    assert refused.status_code == 409
    assert "events.json" in refused.json()["error"]["hint"]
    monkeypatch.setattr(turns, "READERS_MAX", 1)
    for _ in range(3):
        assert api.get(f"/api/turns/{turn}/events").status_code == 200
    assert served.desk.running.readers == 0


HOSTILE = (
    *(
        "1e309",
        "NaN",
        "-1e309",
        "null",
        "true",
        "[]",
        "{}",
        '""',
        "-1",
        "0",
        "1.5",
        str(2**31),
        str(2**63),
        "9" * 400,
        "9" * 5_000,
    ),
    *("4102444800000", '"\\u0000"', '"\\ud800"', f'"{"a" * 200}"', f'"{"a" * 60_000}"', '["a"]', '{"a": 1}', "[" * 30_000),
    *('{"a":' * 10_000, '"\\u202e<script>"', '"   "', '"\u0663"', '"../../etc/passwd"', '"a\\u0000b"', '"new\\ud83d"'),
)


def sample(schema: Json, part: Json) -> Any:
    """A value that a field takes."""
    part = resolved(schema, part)
    if "anyOf" in part:
        return None
    if "enum" in part or "const" in part or "default" in part:
        return part.get("default", part.get("const", part.get("enum", [None])[0]))
    return {"string": "a" * part.get("maxLength", 3) if "64" in part.get("pattern", "") else "abc"}.get(part.get("type", ""), 1)


@pytest.mark.long  # 2,000 requests
def test_no_hostile_value_of_any_field_is_our_bug(served: Any, schema: Json) -> None:
    """Each parameter and key in turn holds each of them: no 5xx, one shape of refusal, each within a second or two."""
    left_out = {("/api/data/pull", "post"), ("/api/session", "delete")}  # a venue is asked; the session ends
    with served.client() as client:
        for path, method, operation in operations(schema):
            parameters = operation.get("parameters", [])
            content = operation.get("requestBody", {}).get("content", {})
            body = resolved(schema, next(iter(content.values()))["schema"]) if content else None
            keys = resolved(schema, body["anyOf"][0] if body and "anyOf" in body else body or {}).get("properties", {})
            good = {name: sample(schema, part) for name, part in keys.items()}
            fixed = {x["name"]: (x["schema"].get("examples") or ["x-1"])[0] for x in parameters if x["in"] == "path"}
            if (path, method) in left_out:
                continue
            for value in HOSTILE:
                text = json.loads(value) if value[0] == '"' else value
                odd = quote(text.encode("utf-8", "surrogatepass"), safe="")[:60_000]
                tried = [(path.format(**{**fixed, name: odd}), json.dumps(good)) for name in fixed]
                tried += [
                    (f"{path.format(**fixed)}?{x['name']}={odd}", json.dumps(good)) for x in parameters if x["in"] == "query"
                ]
                tried += [(path.format(**fixed), json.dumps({**good, key: "@"}).replace('"@"', value)) for key in (*keys, "odd")]
                for url, sent in tried if "events" not in path or path.endswith("json") else ():
                    content_of = {"content": sent, "headers": {"content-type": "application/json"}} if content else {}
                    answer = client.request(method, url, **content_of)
                    assert answer.status_code < 500, (method, url[:200], sent[:200], answer.text)
                    if answer.status_code >= 400:
                        assert set(answer.json()["error"]) == {"kind", "what", "hint"}
                        assert len(answer.text) < 2_000


def refused(error: Exception) -> Callable[..., Any]:
    """A function that fails in this way."""

    def fail(*_: Any, **_more: Any) -> Any:
        raise error

    return fail


def test_a_full_disk_is_no_bug_of_ours(api: httpx.Client, served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed, where and what to do: no traceback, and no file about it, for which there is no room."""
    monkeypatch.setattr(served.desk.sessions, "rename", refused(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv/desk/x")))
    answer = api.post("/api/session", json={"name": "bob"})
    fault = answer.json()["error"]
    assert (answer.status_code, fault["kind"]) == (503, "DataError")
    assert fault["what"] == "the system failed /srv/desk/x: No space left on device"
    assert fault["hint"] == "free disk space, then try again"
    assert not list(served.home.path.glob("logs/api-bug-*"))


def test_a_halt_in_a_chat_says_that_it_holds_when_nothing_else_does(
    api: httpx.Client, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written, the turn cannot be stored: whoever reads the error knows that the desk is halted."""
    monkeypatch.setattr(
        served.desk.running, "begin", refused(DataError("the database failed: database or disk is full", "free it"))
    )
    answer = api.post("/api/turns", json={"role": "operator", "text": "/halt it burns"})
    assert answer.status_code == 503
    assert answer.json()["error"]["what"].startswith("the desk is HALTED by file; the turn itself failed: the database failed")
    assert halt.read(served.home.path).reason == "it burns"
    monkeypatch.setattr(served.desk.running, "begin", refused(DataError("the database failed", "free it")))
    assert "HALTED" not in api.post("/api/turns", json={"role": "operator", "text": "status"}).text
