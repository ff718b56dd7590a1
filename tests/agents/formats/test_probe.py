"""`doctor --model`: which API format works is found by trying, and reported; what a server cannot do is named."""

import json
from typing import Any

import pytest
import typer

from agents.endpoints import Endpoint, endpoints, is_local, privacy_sentence
from agents.probe import CODE_WORD, PRICE, probe, works
from app.cli import models
from tests.agents.formats.conftest import KEY
from tests.fakes.model_server import Fail, ModelServer, Say, Step


def able(body: dict[str, Any]) -> Step:
    """A model that does as it is told, over each format."""
    text = json.dumps(body.get("messages") or [body.get("instructions"), body.get("input")])
    wanted = (body.get("response_format") or {}).get("json_schema", {}).get("name")
    if "code word" in text:
        return Say(f"{CODE_WORD}." if f"word is {CODE_WORD}" in text else "I know of none.")
    if wanted == "choice":
        return Say(json.dumps({"tool": "answer" if PRICE in text else "price_of"}))
    if wanted:
        return Say('{"symbol": "BTC"}')
    if PRICE in text or not body.get("tools"):
        return Say("It is 61,250.")
    symbols = ("BTC", "ETH") if "ETH? Call" in text else ("BTC",)
    return Say(calls=[("price_of", {"symbol": symbol}) for symbol in symbols])


def prosaic(body: dict[str, Any]) -> Step:
    """A small model: writes its calls as text, can follow a schema, has no `/v1/responses`."""
    if "input" in body:
        return Fail(404, "no such route")
    return Say('```json\n{"name": "price_of"}\n```') if body.get("tools") else able(body)


def wordy(body: dict[str, Any]) -> Step:
    """Prose on every format but chat, which it turns down."""
    plain = body.get("response_format") or "input" in body
    return Say("BTC is at 1.") if plain else Fail(400, "not today")


def forgetful(body: dict[str, Any]) -> Step:
    """Calls a tool, and has forgotten why when the result comes; has no other format."""
    if "input" in body or body.get("response_format"):
        return Fail(404, "no such route")
    heard = any(message["role"] == "tool" for message in body["messages"])
    return Say("What was the question?") if heard else Say(calls=[("price_of", {"symbol": "BTC"})])


def at(server: ModelServer, api_format: str = "chat") -> Endpoint:
    """The endpoint of a server."""
    return Endpoint("test", server.url, "small", api_format=api_format, key_env="TEST_KEY", patience_s=20.0)  # type: ignore[arg-type]  # an API format's name


def test_an_able_model_passes_on_every_format() -> None:
    """Four checks per API format, the configured one first; the json format calls one at a time."""
    with ModelServer(able, key=KEY) as server:
        checks = list(probe(at(server, "responses"), KEY))
    assert [c.api_format for c in checks] == ["responses"] * 4 + ["chat"] * 4 + ["json"] * 4
    assert {(c.api_format, c.name): c.state for c in checks if c.state != "ok"} == {("json", "two calls"): "warning"}
    assert works(checks) == "responses"


def test_a_model_that_writes_its_calls_as_text_is_led_to_the_json_format() -> None:
    """chat fails, responses is not there, json works."""
    with ModelServer(prosaic) as server:
        checks = list(probe(at(server), ""))
    assert works(checks) == "json"
    assert {c.api_format: c.state for c in checks if c.name == "one call"} == {"chat": "bad", "responses": "bad", "json": "ok"}


def test_a_small_context_is_found_out() -> None:
    """Cut silently at 4,096 tokens."""
    with ModelServer(able, context=4_096) as server:
        checks = list(probe(at(server), ""))
    said = next(c for c in checks if (c.api_format, c.name) == ("chat", "context"))
    assert (said.state, "truncates its context silently" in said.text) == ("bad", True)


def test_a_wrong_key_ends_the_probe() -> None:
    """One call, one line, no key in it."""
    with ModelServer(able, key="another") as server:
        checks = list(probe(at(server), KEY))
    assert [(c.state, "rejected the key (401)" in c.text) for c in checks] == [("bad", True)]
    assert "canary" not in repr(checks)
    assert works(checks) is None


def test_doctor_says_which_api_format_works(own_home: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The format to name in desk.toml; exit code 1 when none works; an unknown name is one line."""
    with ModelServer(prosaic) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        models.check("openai", as_json=False)
        assert 'set api_format = "json" under [models.openai]' in " ".join(capsys.readouterr().out.split())
    with ModelServer(Fail(401)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with pytest.raises(typer.Exit):
            models.check("openai", as_json=True)
        assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (Say("BTC is at 1."), "answers over chat, but it cannot call the desk's tools"),
        (Fail(401), "does not answer over chat: the offline model answers instead"),
        (wordy, "does not answer over chat: the offline model answers instead, with a notice. Over responses"),
        (forgetful, "calls tools over chat, but does not use their results"),
    ],
    ids=["prose", "rejected", "prose elsewhere", "results unread"],
)
def test_doctor_says_what_becomes_of_a_question(
    own_home: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, answers: Any, said: str
) -> None:
    """The offline model answers only where this one gives no answer on the configured format; the model asked is named."""
    with ModelServer(answers, models=("first", "second")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with pytest.raises(typer.Exit):
            models.check("openai", as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert f"openai (first at 127.0.0.1:{server.url.split(':')[2].split('/')[0]}) {said}" in told
    assert ("NIGHTDESK_MODEL=offline" in told) == (not isinstance(answers, Fail))


def test_the_privacy_sentence_names_host_model_and_what_is_sent() -> None:
    """This machine and another are told apart."""
    assert [is_local(h) for h in ("127.0.0.1", "::1", "localhost", "10.0.0.4", "api.openai.com")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    found = endpoints({}, {"OPENAI_API_KEY": KEY})["openai"]
    text = privacy_sentence(found)
    assert all(part in text for part in ("gpt-5-mini", "api.openai.com, another machine", "positions", "journal explain TURN"))
    assert (found.api_format, KEY in repr(found)) == ("responses", False)
