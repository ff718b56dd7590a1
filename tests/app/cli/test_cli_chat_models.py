"""`nightdesk chat` with a real model: OPENAI_BASE_URL is enough, tools are called, numbers grounded, keys unseen."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.turns import ask
from app import wiring
from app.home.home import open_home
from app.home.settings import DeskToml, read_desk_toml
from engine.errors import BadInput
from tests.app.typed import typed as in_process
from tests.fakes.model_server import Fail, ModelServer, Say, Step
from tests.fakes.waiting import WAIT_S

ROOT = Path(__file__).resolve().parents[3]
KEY = "sk-magpie-4f1b9c2e7d8a6b5c4d3e2f1a"
OWN = '\n[models.mine]\nbase_url = "{url}"\nmodel = "small"\napi_format = "{api_format}"\nkey_env = "MY_KEY"\n'


def environment(home: Path, **env: str) -> dict[str, str]:
    """What the command sees: this shell without the desk's own variables, and these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIGHTDESK_", "OPENAI_"))}
    return kept | {"NIGHTDESK_HOME": str(home), "COLUMNS": "200", **env}


Typed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def nightdesk() -> Typed:
    """The command as a person types it, in a home and an environment."""

    def typed(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return in_process(*words, environment=environment(home, **env))

    return typed


def operator(body: dict[str, Any]) -> Step:
    """Calls `list_strategies` and then answers with a reference and a number of its own invention."""
    results = [m for m in body["messages"] if m["role"] == "tool"]
    if not results:
        return Say(calls=[("list_strategies", {"strategy": "trend"})])
    return Say("The default stop is {p1.stop_atr}. It made 41.7 % last year.")


@pytest.mark.slow
def test_a_real_model_answers_through_tools(own_home: Path, nightdesk: Typed) -> None:
    """From the environment alone: reference rendered, invented number marked, model named, request readable, key nowhere.

    In a process of its own.
    """
    open_home()
    with ModelServer(operator, key=KEY) as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "OPENAI_MODEL": "small"}
        command = [
            sys.executable,
            "-c",
            "from app.cli.main import run; run()",
            "chat",
            "--role",
            "developer",
            "what is trend's stop?",
        ]
        done = subprocess.run(
            [*command, "--json"],
            cwd=ROOT,
            env=environment(own_home, **env),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    answer = json.loads(done.stdout)
    assert "The default stop is [2.00](config:v1)." in answer["answer_md"]
    assert "It made 41.7 % last year." in answer["unchecked"]
    assert answer["model"] == {"name": "small", "api_format": "chat", "offline": False}
    assert answer["tool_calls"][0]["name"] == "list_strategies"
    assert "Questions are answered by the model small at 127.0.0.1:" in done.stderr
    told = nightdesk(own_home, "journal", "explain", answer["turn"], "--json")
    found = json.loads(told.stdout)
    bodies = [part["body"] for part in found["sent"] if "request" in part["file"]]
    assert bodies == [json.loads(post.raw) for post in server.posts]
    assert "what is trend's stop?" in nightdesk(own_home, "journal", "explain", answer["turn"]).stdout
    everything = b"".join(path.read_bytes() for path in own_home.rglob("*") if path.is_file())
    assert "magpie" not in done.stdout + done.stderr + told.stdout
    assert b"magpie" not in everything


def test_a_wrong_key_is_one_line_and_the_offline_answer(own_home: Path, nightdesk: Typed) -> None:
    """Nothing lost: exit code 0, the reason first, then what was asked."""
    with ModelServer(Fail(401, f"Incorrect API key provided: {KEY}")) as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        done = nightdesk(own_home, "chat", "--role", "developer", "list the strategies", "--json", **env)
    answer = json.loads(done.stdout)
    assert "rejected the key (401)" in answer["answer_md"]
    assert answer["model"]["offline"] is True
    assert "| trend |" in answer["answer_md"]
    assert "magpie" not in done.stdout + done.stderr


def test_halt_asks_no_model(own_home: Path, nightdesk: Typed) -> None:
    """/halt is done before a model sees anything."""
    open_home()
    with ModelServer(Say("no")) as server:
        done = nightdesk(own_home, "chat", "--role", "operator", "/halt fire", OPENAI_BASE_URL=server.url)
    assert "HALTED" in done.stdout
    assert server.seen == []


@pytest.mark.parametrize(
    ("base_url", "why"),
    [
        ("ftp://x/v1", "not an http or https URL"),
        ("http://me:secret@127.0.0.1/v1", "contains a password"),
        ("http://127.0.0.1:1/v1", "connection"),
    ],
)
def test_an_address_that_is_off_is_told_and_the_offline_model_answers(
    own_home: Path, base_url: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chat goes on; the password of an address is not repeated."""
    office = wiring.Wiring(open_home(), "mara", "test")
    office.model = wiring.model_of(open_home(), {"OPENAI_BASE_URL": base_url})
    answer = list(ask(office, "developer", "list the strategies", "mara"))[-1]
    assert why in answer["answer_md"]
    assert "secret" not in json.dumps(answer)
    assert answer["model"]["offline"]


def with_models(home: Path, *entries: str) -> Any:
    """The opened home with entries added to its desk.toml."""
    open_home()
    path = home / "desk.toml"
    path.write_text(path.read_text() + "".join(entries))
    return open_home()


def test_desk_toml_names_models_and_the_first_with_a_key_answers(own_home: Path) -> None:
    """Its key's variable decides; NIGHTDESK_MODEL names another; `offline` names none."""
    home = with_models(
        own_home,
        OWN.format(url="http://127.0.0.1:9/v1", api_format="json"),
        '[models.free]\nbase_url="http://127.0.0.1:8/v1"\nmodel="f"\n',
    )
    chosen = {
        "no key": wiring.model_of(home, {}),
        "own key": wiring.model_of(home, {"MY_KEY": KEY, "OPENAI_API_KEY": KEY}),
        "named": wiring.model_of(home, {"MY_KEY": KEY, "NIGHTDESK_MODEL": "free"}),
        "openai": wiring.model_of(home, {"NIGHTDESK_MODEL": "openai", "OPENAI_API_KEY": KEY}),
        "offline": wiring.model_of(home, {"MY_KEY": KEY, "NIGHTDESK_MODEL": "offline"}),
        "unknown": wiring.model_of(home, {"NIGHTDESK_MODEL": "what"}),
    }
    said = {name: (model.name, model.api_format, model.offline) for name, model in chosen.items()}
    assert said["no key"] == ("f", "chat", False)
    assert said["own key"] == ("small", "json", False)
    assert said["named"] == ("f", "chat", False)
    assert said["openai"] == ("gpt-5-mini", "responses", False)
    assert said["offline"] == ("offline", "none", True)
    assert said["unknown"] == ("what", "none", False)
    assert "magpie" not in repr(chosen)


def test_budgets_of_desk_toml_reach_the_turns(own_home: Path) -> None:
    """[budgets] is what a turn may use; a typing error is told with its line."""
    home = with_models(own_home, "\n[budgets]\nturn_tokens = 12\nday_usd = 0.5\n")
    limits = wiring.Wiring(home, "mara", "test").limits
    assert (limits.turn_tokens, limits.day_usd, limits.person_usd) == (12, 0.5, 10.0)
    (own_home / "desk.toml").write_text((own_home / "desk.toml").read_text().replace("turn_tokens = 12", "turn_token = 12"))
    with pytest.raises(BadInput, match=r"line \d+: budgets.turn_token: unknown key"):
        read_desk_toml(own_home / "desk.toml")
    assert DeskToml(sleeves=home.desk.sleeves).budgets.turn_tokens == 400_000


def test_a_model_outlives_the_office_of_a_turn(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are kept from turn to turn; the endpoint is there to be shown."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    home = open_home()
    one, two = wiring.Wiring(home, "mara", "test"), wiring.Wiring(home, "noor", "test")
    assert one.model is two.model
    assert one.endpoint is not None
    assert one.endpoint.host == "127.0.0.1:9"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert wiring.Wiring(home, "mara", "test").endpoint is None


def test_doctor_names_the_model_that_answers(own_home: Path, nightdesk: Typed) -> None:
    """And what it is sent; a wrong address is a warning, not a danger."""
    good = nightdesk(own_home, "doctor", OPENAI_API_KEY=KEY)
    assert "gpt-5-mini at api.openai.com, another machine" in " ".join(good.stdout.split())
    bad = nightdesk(own_home, "doctor", OPENAI_BASE_URL="ftp://x")
    assert "warning  model: base_url of model openai is not an http or https URL" in bad.stdout
    assert "the offline model answers" in bad.stdout
    assert "offline model: deterministic" in nightdesk(own_home, "doctor").stdout
    assert "magpie" not in good.stdout + good.stderr


def test_what_is_not_checked_is_marked_where_it_is_piped(own_home: Path, nightdesk: Typed) -> None:
    """As a person types it, without --json: a line above, the marks in sentence and table, what they mean below."""
    said = "The equity is 98,765.43 USDT.\n\n| sleeve | sharpe |\n|---|---|\n| trend | 2.71 |"
    with ModelServer(Say(said)) as server:
        done = nightdesk(own_home, "chat", "--role", "developer", "what is the equity?", OPENAI_BASE_URL=server.url)
    assert done.stdout.lstrip().startswith("Not checked: all of this answer is the model's own words")
    assert "\u27e6The equity is 98,765.43 USDT.\u27e7" in done.stdout
    assert "\u27e62.71\u27e7" in done.stdout
    assert "\u27e6 \u27e7: the model's own words; nothing in this thread proves them, and no figure" in done.stdout


def test_what_a_server_says_is_plain_words_in_a_terminal(own_home: Path, nightdesk: Typed) -> None:
    """An error page in the notice: no entity of it, and nothing that a terminal would act on."""
    page = "<html>\x1b]0;t\x07\x1b[2J\x1b]8;;http://foreign.example\x1b\\gone</html>"
    with ModelServer(Fail(400, page)) as server:
        done = nightdesk(own_home, "chat", "--role", "developer", "list the strategies", OPENAI_BASE_URL=server.url)
    assert "<html>" in done.stderr
    assert "&lt;" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_model_of_desk_toml_needs_no_name(own_home: Path) -> None:
    """The first that its address lists is asked, and named once it is known: in the answer, and by the next that ask for it."""
    with ModelServer(Say("All is well."), models=("able", "other")) as server:
        home = with_models(own_home, f'\n[models.mine]\nbase_url = "{server.url}"\n')
        office = wiring.Wiring(home, "mara", "test", model=wiring.model_of(home, {}))
        before = office.model.name
        answer = list(ask(office, "developer", "is all well?", "mara"))[-1]
        after = wiring.model_of(home, {})
        assert [json.loads(post.raw)["model"] for post in server.posts] == ["able"]
    assert before in server.url
    assert (answer["model"]["name"], after.name) == ("able", "able")
    assert "the model able at" in getattr(after, "privacy", "")
    assert answer["answer_md"].endswith("model able*")
