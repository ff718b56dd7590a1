"""`nightdesk live`: a cost is said before it is paid, a person is asked, steps towards money take evidence and a passphrase."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import live, main
from app.home.home import Home, open_home
from app.people import approvals, consents
from app.people import stages as people_stages
from app.people.identity import Actor, add_person
from engine.control import proposals
from engine.control.config import active
from engine.control.stages import StageFacts
from engine.errors import Refused
from engine.live.gate import PROBE_REQUEST
from engine.store.chain import Event
from engine.store.journal import Journal, read
from tests.app.cli.test_cli_account import desk_toml, planted, served
from tests.fakes.own_strategies import SLEEVE, own_strategy, with_own
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

__all__ = ["planted"]

ANN = Actor("ann", "session", "ann", "cli")
WORD = "a long passphrase"


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk that has run for a few bars on recorded data."""
    main.load_groups()
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = loop_of(home, feed_of(home))
    advanced(loop, 3)
    loop.journal.close()
    return home


def run(*words: str, typed: str = "") -> Any:
    """The command, in this process."""
    return CliRunner().invoke(main.app, ["live", *words], input=typed)


def gated(home: Home, **row: Any) -> None:
    """The worker's gate has said that it waits."""
    rows = [{"name": "probe", "ok": True, "why": "", "tries": 0, "consent": ""}]
    rows.append(
        {"name": "round_trip", "ok": False, "why": "the fill path had an incident", "tries": 2, "consent": "trip 7", **row}
    )
    journal = Journal(home.desk_journal, "test")
    journal.append([Event("gate", WALL_MS, {"open": False, "rows": rows}, t_recv_ms=WALL_MS)])
    journal.close()


def test_the_gate_says_why_nothing_enters_and_exits_1(home: Home) -> None:
    """Each row, and what it waits for."""
    gated(home)
    found = run("gate")
    assert found.exit_code == 1
    assert "CLOSED    round_trip, tried 2 times: the fill path had an incident" in found.stdout
    assert json.loads(run("gate", "--json").stdout)["rows"][1]["consent"] == "trip 7"


@pytest.mark.parametrize(
    ("pid", "phase", "says"), [(None, "running", "no worker runs"), (7, "starting", "the worker is starting"), (7, "running", "")]
)
def test_a_gate_of_an_earlier_run_is_named_as_that(
    home: Home, monkeypatch: pytest.MonkeyPatch, pid: int | None, phase: str, says: str
) -> None:
    """What was open before this start says nothing of now."""
    monkeypatch.setattr("engine.watch.health.worker_pid", lambda _: pid)
    monkeypatch.setattr("engine.watch.heartbeat.heartbeat_of", lambda _: {"phase": phase})
    gated(home)
    first = run("gate").stdout.split("\n")[0]
    assert first.startswith(f"{says}: the gate as it was at 2" if says else "CLOSED")


@pytest.mark.parametrize(
    ("what", "why", "code", "first"),
    [
        ("gate", "the desk was halted", 1, "CLOSED, the desk was halted: nothing enters (docs/runbooks/gate-closed.md)"),
        ("data clock okx", "2000 ms from ours", 0, "open; what is not well keeps entries away"),
        ("", "", 0, "open: sleeves may enter"),
    ],
)
def test_an_open_gate_lets_nothing_in_while_something_is_not_well(
    home: Home, monkeypatch: pytest.MonkeyPatch, what: str, why: str, code: int, first: str
) -> None:
    """Its rows are of the moment when it opened: a halt since has closed it, and a clock that is off keeps entries away."""
    monkeypatch.setattr("engine.watch.health.worker_pid", lambda _: 7)
    monkeypatch.setattr("engine.watch.heartbeat.heartbeat_of", lambda _: {"phase": "running"})
    journal = Journal(home.desk_journal, "test")
    journal.append([Event("gate", WALL_MS, {"open": True, "rows": []}, t_recv_ms=WALL_MS)])
    if what:
        journal.append([Event("health", WALL_MS, {"what": what, "state": "begun", "why": why}, t_recv_ms=WALL_MS + 1)])
    journal.close()
    found = run("gate")
    assert (found.exit_code, found.stdout.split("\n")[0]) == (code, first)
    body = json.loads(run("gate", "--json").stdout)
    assert (body["open"], body["shut"], body["unwell"]) == (
        not code,
        why if code else "",
        {what: why} if what and not code else {},
    )


def test_the_gate_says_of_an_instrument_that_is_off_why_it_is_by_now(home: Home) -> None:
    """The gate's event may be hours old: it can be off for another reason since, or back."""
    off = {"okx:X": "the venue does not list it", "okx:Y": "the venue does not list it"}
    journal = Journal(home.desk_journal, "test")
    journal.append([Event("gate", WALL_MS, {"open": True, "rows": [], "off": off}, t_recv_ms=WALL_MS)])
    body = {"what": "not traded: okx:X", "state": "begun", "why": "it trades again and is not proved yet: probe"}
    journal.append([Event("health", WALL_MS, body, t_recv_ms=WALL_MS + 1)])
    journal.close()
    said = run("gate").stdout
    assert "  note      okx:X is off, its sleeves alone: it trades again and is not proved yet: probe" in said
    assert said.count("okx:X") == 1
    assert "okx:Y" not in said
    assert json.loads(run("gate", "--json").stdout)["off"] == {"okx:X": body["why"]}


def test_an_open_gate_names_the_sleeves_whose_stage_enters_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With money a sleeve enters nothing before live_small, however open the gate is."""
    journal = Journal(home.desk_journal, "test")
    journal.append([Event("gate", WALL_MS, {"open": True, "rows": []}, t_recv_ms=WALL_MS)])
    journal.close()
    assert "enters nothing" not in run("gate").stdout
    monkeypatch.setattr("engine.watch.window.mode_of", lambda _: "live")
    said = run("gate").stdout
    assert "open; by their stage not all sleeves enter" in said
    assert "btc-trend enters nothing at stage paper: nightdesk live stages" in said


def test_a_consent_is_to_what_was_shown_and_names_a_person(home: Home) -> None:
    """Asked first; a gate that waits for something else by then refuses it."""
    gated(home)
    assert run("consent", "--as", "ann", typed="n\n").exit_code != 0
    assert not list(read(home.people_journal, {"consent"}))
    assert run("consent", "--as", "ann", typed="y\n").exit_code == 0
    said = list(read(home.people_journal, {"consent"}))
    assert [(e.body["consent"], e.body["actor"]["name"]) for e in said] == [("trip 7", "ann")]
    gated(home, consent="trip 9")
    with pytest.raises(Refused, match="does not wait for that"):
        consents.consent(home, "trip 7", ANN, WALL_MS, None)


def test_the_stages_say_what_is_lacking(home: Home) -> None:
    """A desk on recorded bars is no desk on live data."""
    found = json.loads(run("stages", "--json").stdout)["items"][0]
    assert (found["stage"], found["next"]) == ("paper", "paper_live")
    assert found["lacking"] == ["this home trades paper: stage paper_live belongs to a home that trades paper_live"]
    assert "lacking" in run("stages").stdout


def test_the_command_of_a_step_keeps_the_home_that_is_its_evidence(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed as it is shown is approved; without --after it would lack all of it."""
    ready = {"sleeve": "btc", "stage": "paper", "next": "shadow", "lacking": [], "shadow": None}
    monkeypatch.setattr(people_stages, "stage_rows", lambda *_: [ready])
    typed = "nightdesk live stage btc shadow"
    assert run("stages", "--after", "/a home").stdout.strip().endswith(f"{typed} --after '/a home' --as NAME")
    assert run("stages").stdout.strip().endswith(f"{typed} --as NAME")


def test_the_stages_of_all_sleeves_are_one_reading_of_the_journal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal is folded once and searched once, however many sleeves there are: with a long one each costs seconds."""
    calls: list[str] = []
    for name in ("fold", "between"):
        real = getattr(people_stages, name)

        def noted(path: Path, *more: Any, name: str = name, real: Any = real) -> Any:
            calls.extend([name] if more[:1] in ((), (-1,)) else [])
            return real(path, *more)

        monkeypatch.setattr(people_stages, name, noted)
    rows = people_stages.stage_rows(home, "", WALL_MS)
    assert len(rows) > 1
    assert all(row["lacking"] for row in rows)
    assert sorted(calls) == ["between", "fold"]


def test_fees_that_the_account_said_before_the_stage_count_in_it(tmp_path: Path) -> None:
    """They are noted at a start and where they change; an order from before the stage is none of it."""
    place = "binance:BTC-USDT:perp"
    terms = {place: {"maker_frac": 0.0002, "taker_frac": 0.0005}}
    order = {"what": "order", "sleeve": "btc", "instrument": place, "refused": "", "assumed_bps": 0.2, "book_bps": 0.1}
    order |= {"spread_bps": 0.1, "behind_ms": 900, "thin": False, "unread": "", "units": 0.1, "price": 1.0}
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path / "journal" / "desk.jsonl", "test")
    said = Event("shadow", WALL_MS, {"what": "account", "terms": terms, "faults": [], "balance": 1.0})
    journal.append([said, Event("shadow", WALL_MS, order), Event("shadow", WALL_MS + 2, order)])
    journal.close()
    found = people_stages.StageJournal(tmp_path).shadow_since(WALL_MS + 1)["btc"]
    assert (found.orders, found.maker_frac, found.taker_frac) == (1, 0.0002, 0.0005)


def test_a_stage_begins_where_no_other_has_been_since() -> None:
    """The oldest of the newest unbroken configurations at it; one without the sleeve breaks nothing."""

    def of(seq: int, **stages: str) -> Event:
        return Event("config", 0, {"sleeves": [{"name": name, "stage": stage} for name, stage in stages.items()]}, seq=seq)

    configs = [of(1, a="shadow"), of(2, a="paper"), of(3, b="paper"), of(4, a="shadow"), of(5, b="shadow"), of(6, a="shadow")]
    found = people_stages.began(configs, "a", "shadow")
    assert found is not None
    assert found.seq == 4
    assert people_stages.began(configs, "a", "paper") is None
    assert people_stages.began(configs, "c", "paper") is None


def test_days_and_trips_of_another_code_are_no_evidence() -> None:
    """A strategy file that was edited under the same stage begins it anew."""

    def of(seq: int, code: str) -> Event:
        return Event("config", 0, {"sleeves": [{"name": "a", "stage": "live_small", "strategy_sha256": code}]}, seq=seq)

    found = people_stages.began([of(1, "old"), of(2, "new"), of(3, "new")], "a", "live_small")
    assert found is not None
    assert found.seq == 2


def proposed(home: Home, to: str) -> Any:
    """The row of a proposed step."""
    found = run("stage", "btc-trend", to, "--as", "ann", "--json")
    assert found.exit_code == 0, found.output
    return proposals.get(home.engine, json.loads(found.stdout)["proposal"])


def test_a_step_towards_money_takes_a_listed_person_a_passphrase_and_evidence(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each missing one refuses it; nothing has changed until all three are there."""
    row = proposed(home, "paper_live")
    assert row.direction == "loosens"
    with pytest.raises(Refused, match="ann has no passphrase"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS)
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "ann", WORD))
    with pytest.raises(Refused, match="a passphrase is needed"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS)
    with pytest.raises(Refused, match="btc-trend does not come to paper_live: this home trades paper"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS, WORD)
    assert active(home.engine, home.path).config.sleeve("btc-trend").stage == "paper"
    facts = people_stages.facts_of(home.path, "btc-trend")
    assert facts == StageFacts("paper", "paper", facts.sleeve, facts.days)
    monkeypatch.setattr(people_stages, "facts_of", lambda *_: facts._replace(place="paper_live"))
    approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS, WORD)
    assert active(home.engine, home.path).config.sleeve("btc-trend").stage == "paper_live"
    with pytest.raises(Refused, match="it is already applied by ann as version 2"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS, WORD)


def test_a_step_towards_money_is_of_the_code_that_made_the_evidence(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version takes the strategy's file as it is when it comes into force: one edited meanwhile has shown nothing."""
    main.load_groups()
    furnished(own_home)
    home = with_own(open_home(WALL_MS), "direction = np.ones(len(f.close))")
    loop = loop_of(home, feed_of(home))
    advanced(loop, 3)
    loop.journal.close()
    facts = people_stages.facts_of(home.path, SLEEVE)._replace(place="paper_live")
    monkeypatch.setattr(people_stages, "facts_of", lambda *_: facts)
    assert people_stages.missing_for(home.path, SLEEVE, "paper_live", "", WALL_MS) == []
    own_strategy(home.strategies, "direction = -np.ones(len(f.close))")
    (why,) = people_stages.missing_for(home.path, SLEEVE, "paper_live", "", WALL_MS)
    assert why.startswith("the code of own has changed since the desk took it")
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "ann", WORD))
    row = proposed(home, "paper_live")
    with pytest.raises(Refused, match="the code of own has changed"):
        approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS, WORD)


def test_a_rollback_is_no_way_around_the_evidence(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going back to a version with a higher stage is a step up like any other; the step down takes nothing."""
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "ann", WORD))
    facts = people_stages.facts_of(home.path, "btc-trend")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people_stages, "facts_of", lambda *_: facts._replace(place="paper_live"))
        row = proposed(home, "paper_live")
        approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS, WORD)
    said = run("stage", "btc-trend", "paper", "--as", "ann").stdout
    assert "Approve it: nightdesk proposals approve" in said  # a step down asks for no passphrase
    down = proposed(home, "paper")
    assert down.direction == "tightens"
    approvals.approve(home, down.id, down.diff_sha256, ANN, WALL_MS)
    with pytest.raises(Refused, match="a passphrase is needed"):
        approvals.rollback(home, "2", ANN, WALL_MS)
    assert active(home.engine, home.path).config.sleeve("btc-trend").stage == "paper"


def test_with_a_worker_the_worker_is_asked_and_its_journal_answers(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """This command sends nothing; a person who says no asks for nothing."""
    name = "binance:BTC-USDT:perp"
    item = {"instrument": name, "notional_usd": 100.0, "cost_usd": 0.11}
    monkeypatch.setattr(live, "process", lambda *_: {"account": "main", "venue": "binance", "mode": "testnet", "items": [item]})
    monkeypatch.setattr("engine.watch.health.worker_pid", lambda _: 1)
    assert run("test", "main", "--round-trip", "--as", "ann", typed="n\n").exit_code != 0
    assert not list(read(home.people_journal, {PROBE_REQUEST}))

    def answered(home: Home, *_: Any, **__: Any) -> str:
        journal = Journal(home.desk_journal, "test")
        leg = {"name": "limit placed", "result": "failed", "ms": 4, "why": "refused"}
        body = {"what": "ended", "kind": "far", "instrument": name, "legs": [leg], "left": [], "cost": 0.0, "ok": False}
        journal.append([Event("probe", WALL_MS, body)])
        journal.close()
        return ""

    monkeypatch.setattr(consents, "ask_for_probe", answered)
    found = run("test", "main", "--round-trip", "--as", "ann", typed="y\n")
    assert found.exit_code == 1
    assert "100.00 USDT are bought and sold at the market, about 0.1100" in found.stdout
    assert "failed    limit placed 4 ms: refused" in found.stdout


@pytest.mark.long
@pytest.mark.parametrize("venue", ["okx", "binance", "bybit"])
def test_without_a_worker_a_process_of_its_own_probes(
    venue: str, own_home: Path, planted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over sockets: cost first, then far orders, then least size in and out; nothing is left, and no key is in what it says."""
    main.load_groups()
    with served(venue, **({"simulated": True} if venue == "okx" else {})) as (local, *urls):
        desk_toml(own_home, venue, "testnet", (urls[0], urls[1]))
        found = run("test", "main", "--round-trip", "--yes", "--as", "ann", "--json")
        assert found.exit_code == 0, found.output
        value = json.loads(found.stdout)
        assert [(probe["kind"], probe["ok"]) for probe in value["probes"]] == [("far", True), ("round_trip", True)]
        assert not local.exchange.open_orders()
        assert not local.exchange.open_algos()
        assert local.exchange.account.position("BTC").lots == 0
    assert 0 < value["probes"][1]["cost"] < 2 * value["items"][0]["cost_usd"] + 0.1
    journal = open_home().people_journal
    assert [e.body["what"] for e in read(journal, {"probe"})].count("ended") == 2
    assert "planted" not in found.output


@pytest.mark.parametrize(("result", "heard"), [("ok", True), ("not tried", False), ("failed", False)])
def test_a_probe_without_a_stream_is_no_evidence_for_a_step(result: str, heard: bool) -> None:
    """One that no worker has made listens to none: ok by REST alone."""
    legs = [{"name": "limit on rest", "result": "ok"}, {"name": "limit on stream", "result": result}]
    assert people_stages.heard_on_stream({"ok": True, "legs": legs}) is heard
