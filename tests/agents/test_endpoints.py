"""Which model is asked, at which address, with whose key: nothing is guessed, and no key goes where it was not configured."""

from typing import Any

import pytest

from agents.endpoints import OPENAI_MODEL, OPENAI_URL, choose, endpoints, is_local, key_of, named, privacy_sentence
from agents.model import Prices
from engine.errors import BadInput

LOCAL = {"base_url": "http://127.0.0.1:11434/v1/", "model": "small"}
HOSTED = {"base_url": "https://models.example.com/v1", "model": "large", "key_env": "EXAMPLE_KEY"}
KEY = {"EXAMPLE_KEY": "key-of-example"}


def chosen(entries: dict[str, Any], environ: dict[str, str]) -> str | None:
    """The name of the model that answers; None: the offline one."""
    found = choose(entries, environ)
    return None if found is None else found.name


@pytest.mark.parametrize(
    ("entries", "environ", "name"),
    [
        ({}, {}, None),
        ({"local": LOCAL}, {}, "local"),
        ({"hosted": HOSTED}, {}, None),
        ({"hosted": HOSTED}, KEY, "hosted"),
        ({"hosted": HOSTED}, {"EXAMPLE_KEY": "  "}, None),
        ({"hosted": HOSTED, "local": LOCAL}, {}, "local"),
        ({"hosted": HOSTED, "local": LOCAL}, KEY, "hosted"),
        ({"local": LOCAL}, {"OPENAI_API_KEY": "sk-x"}, "local"),
        ({"hosted": HOSTED}, {"OPENAI_API_KEY": "sk-x"}, "openai"),
        ({}, {"OPENAI_BASE_URL": "http://localhost:8000/v1"}, "openai"),
        ({"local": LOCAL}, {"NIGHTDESK_MODEL": "offline", "OPENAI_API_KEY": "sk-x"}, None),
        ({"local": LOCAL, "hosted": HOSTED}, {"NIGHTDESK_MODEL": "hosted"}, "hosted"),
        ({"local": LOCAL}, {"NIGHTDESK_MODEL": " local "}, "local"),
    ],
)
def test_the_model_that_answers(entries: dict[str, Any], environ: dict[str, str], name: str | None) -> None:
    """The one that is named; else the first of desk.toml whose key is there; else the environment's; else none at all."""
    assert chosen(entries, environ) == name


def test_a_name_that_nobody_configured_is_one_line() -> None:
    """With what there is, the offline model among it; a mistyped name never falls back to a paid one."""
    with pytest.raises(BadInput, match="no model 'gtp' is configured") as told:
        choose({"local": LOCAL}, {"NIGHTDESK_MODEL": "gtp", "OPENAI_API_KEY": "sk-x"})
    assert "local, openai, offline" in told.value.hint
    with pytest.raises(BadInput):
        named({}, "x" * 9_999)


def test_the_environments_model_has_its_own_address_and_key() -> None:
    """OPENAI_* alone are enough; desk.toml's own entry of that name is not overridden by them."""
    found = endpoints({}, {"OPENAI_API_KEY": "sk-x"})["openai"]
    assert (found.base_url, found.model, found.api_format, found.key_env) == (
        OPENAI_URL,
        OPENAI_MODEL,
        "responses",
        "OPENAI_API_KEY",
    )
    found = endpoints({}, {"OPENAI_BASE_URL": "http://gpu:8000/v1", "OPENAI_MODEL": "mine", "OPENAI_API_KEY": "sk-x"})["openai"]
    assert (found.base_url, found.model, found.api_format) == ("http://gpu:8000/v1", "mine", "chat")
    own = endpoints({"openai": HOSTED}, {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": "http://evil/v1"})["openai"]
    assert (own.base_url, own.key_env) == (HOSTED["base_url"], "EXAMPLE_KEY")


def test_a_key_is_read_from_the_named_variable_alone() -> None:
    """No key_env, no key, whatever else the environment holds; it is not part of what is printed of an endpoint."""
    environ = KEY | {"OPENAI_API_KEY": "sk-other"}
    found = endpoints({"hosted": HOSTED, "local": LOCAL}, environ)
    assert key_of(found["hosted"], environ) == "key-of-example"
    assert key_of(found["local"], environ) == ""
    assert key_of(found["hosted"], {"OPENAI_API_KEY": "sk-other"}) == ""
    assert "key-of-example" not in repr(found) + privacy_sentence(found["hosted"])


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "tab\tbed", "\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(key: str) -> None:
    """The variable is named, the key is not."""
    with pytest.raises(BadInput, match="EXAMPLE_KEY contains spaces or invalid characters") as told:
        key_of(endpoints({"hosted": HOSTED}, {})["hosted"], {"EXAMPLE_KEY": key})
    assert key.strip("\x00") == "" or key not in str(told.value)


NO_ADDRESS = ["", "models.example.com/v1", "ftp://models.example.com", "http://", "http:///v1", "file:///etc/passwd"]
NO_ADDRESS += ["http://x:0/", "http://x:99999/", "http://[::1", "javascript:alert(1)", "http://x:port/v1"]


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """Only http and https with a host and a port that exists; the entry is named."""
    with pytest.raises(BadInput, match="base_url of model odd is not an http or https URL"):
        endpoints({"odd": {"base_url": address}}, {})


@pytest.mark.parametrize(
    "address",
    ["https://user:hunter2@models.example.com/v1", "https://models.example.com/v1?key=hunter2", "https://m.example.com/#hunter2"],
)
def test_a_password_in_an_address_is_refused_without_repeating_it(address: str) -> None:
    """It would stand in every log; the message says where it belongs."""
    with pytest.raises(BadInput, match="contains a password or a query") as told:
        endpoints({"odd": {"base_url": address}}, {})
    assert "hunter2" not in str(told.value)


def test_what_is_configured_is_taken_and_the_rest_has_its_default() -> None:
    """Prices, patience, context, streaming; a slash at the end of an address does not make two of it."""
    plain = endpoints({"local": LOCAL}, {})["local"]
    assert plain.base_url == "http://127.0.0.1:11434/v1"
    assert (plain.api_format, plain.context_tokens, plain.prices, plain.stream) == ("chat", 32_000, Prices(None, None), True)
    more = {"api_format": "json", "context_tokens": 8_000, "input_per_million": 0.0, "output_per_million": 2.5, "patience_s": 90}
    full = endpoints({"local": LOCAL | more | {"stream": False}}, {})["local"]
    assert (full.api_format, full.context_tokens, full.patience_s, full.stream) == ("json", 8_000, 90.0, False)
    assert full.prices == Prices(0.0, 2.5)
    assert full.at != plain.at, "what a provider said over one API format is not replayed over another"


HERE = ("127.0.0.1", "127.9.9.9", "::1", "localhost", "a.localhost")
ELSEWHERE = ("10.0.0.1", "localhost.evil.com", "127.0.0.1.nip.io", "", "example.com", "128.0.0.1", "fe80::1")


def test_this_machine_is_not_mistaken_for_another() -> None:
    """What a person reads before the first question depends on it: a name that only begins like this machine is another."""
    assert [is_local(host) for host in (*HERE, *ELSEWHERE)] == [True] * len(HERE) + [False] * len(ELSEWHERE)
