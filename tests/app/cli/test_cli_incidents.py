"""`nightdesk incidents`, `orders`, `reconcile`, `journal verify --orders`, `halt`: what a person sees of one night, and that the
worker, not a command, writes the journal.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.api import incidents as routes
from app.api.context import ApiContext
from app.cli import incidents, main
from app.cli.incidents import parts_text
from app.home.home import Home
from app.views import incident_pages
from app.views.incident_pages import page_text
from engine.book.replay import fold
from engine.errors import BadInput, Refused
from engine.live.loop import Loop
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.watch.attribution import pnl_of_window
from engine.watch.halt_left import HaltState
from engine.watch.heartbeat import FILE
from engine.watch.incidents import windows_of
from engine.watch.periods import lately, periods
from engine.watch.window import journal_of, mark_at
from tests.app.cli.test_cli_adopt import folder, loop, stopped  # noqa: F401 - fixtures
from tests.fakes.papers import feed_of, loop_of
from tests.tools.desk_journal import write_desk, write_incident


def ran(*words: str) -> Any:
    """The command's result; its errors are raised."""
    return CliRunner().invoke(main.app, list(words), catch_exceptions=False)


def told(*words: str) -> dict[str, Any]:
    """Its JSON."""
    found: dict[str, Any] = json.loads(ran(*words, "--json").stdout)
    return found


def refused(*words: str) -> str:
    """Why the command does nothing."""
    result = CliRunner().invoke(main.app, list(words))
    assert isinstance(result.exception, BadInput | Refused), result.output
    return str(result.exception)


def test_a_window_from_its_trade_to_its_end(stopped: Home, loop: Loop) -> None:  # noqa: F811 - the fixture
    """Opened with the stranger's trade; not to be closed before that is adopted; closed by ann, whose name and cause stay. Inside
    and outside are the whole, in the command, in the mark and in the API.
    """
    (open_,) = told("incidents", "list")["items"]
    assert (open_["id"], open_["state"], open_["causes"], open_["opened_by"]) == ("w1", "open", ["odd"], "detector")
    loop.step()
    close = (
        "incidents",
        "close",
        "w1",
        "--cause",
        "sold on the venue's page",
        "--lesson",
        "look at the venue's page",
        "--as",
        "ann",
        "--yes",
    )
    assert "its cause lasts: odd" in refused(*close)
    assert told("incidents", "show", "w1")["lasting"] == ["odd"]
    ran("adopt", "odd", "--keep", "--as", "ann", "--reason", "not ours", "--yes")
    loop.step()
    unknown = [word if word != "look at the venue's page" else "[check gate-open] and [check rockets]" for word in close]
    assert "the lesson names the check 'rockets'" in refused(*unknown)
    assert told(*close)["state"] == "taken"
    shown = told("incidents", "show", "w1")
    assert (shown["state"], shown["closed_by"], shown["cause"]) == ("closed", "ann", "sold on the venue's page")
    assert ("x1" in shown["orders"], shown["lasting"]) == (True, [])
    loop.step()
    parts = told("incidents", "list")["pnl"]
    assert parts["incident"] == pytest.approx(shown["pnl"], abs=1e-9)
    assert parts["incident"] + parts["strategy"] == pytest.approx(parts["whole"], abs=1e-9)
    mark = mark_at(stopped.desk_journal)
    assert mark is not None
    assert mark.body["incident"] == pytest.approx(shown["pnl"], abs=1e-9)
    assert "windows" not in mark.body
    (event,) = [e.body for e in read(stopped.desk_journal, {"window"}) if e.body["what"] == "close"]
    assert (event["by"], event["money"]["pnl"]) == ("ann", pytest.approx(shown["pnl"]))
    (asked,) = [e.body for e in read(stopped.people_journal, {"window"})]
    assert asked["actor"]["name"] == "ann"
    assert parts_text({"whole": -888.974, "incident": 26.012, "strategy": -914.986}) == (
        "P&L since the start -888.97: -914.98 of the strategies, +26.01 in incidents"  # not -914.99: a person adds them up
    )
    assert f"of it in incidents {shown['pnl']:+,.2f}" not in ran("status").output
    assert f"in incidents {shown['pnl']:+,.2f}" in ran("status").output
    since = lately(stopped.path)["start"]
    assert (since.incident, since.net) == (pytest.approx(shown["pnl"], abs=0.006), pytest.approx(parts["whole"], abs=0.006))
    assert since.strategy == pytest.approx(parts["strategy"], abs=0.011)
    (today,) = periods(stopped.path, "day")
    assert (today.incident, today.net) == (since.incident, since.net)
    span = pnl_of_window(stopped.path, 0, mark.t_event_ms)
    assert span is not None
    assert span.incident / 100 == pytest.approx(shown["pnl"], abs=0.006)
    facts = {
        f["metric"]: f["value"] for f in told("tool", "pnl", "--role", "operator")["facts"] if f["subject"] == "P&L of the desk"
    }
    assert (facts["in_incidents"], facts["strategies"]) == (since.incident, since.strategy)
    assert "made in incident windows" in ran("tool", "attribution", "--role", "advisor").output
    at = ApiContext(stopped)
    listed = routes.windows(at, None, limit=5)  # type: ignore[arg-type]  # the session is not read
    assert (listed.total, listed.items[0].pnl) == (1, pytest.approx(shown["pnl"]))
    assert routes.one(at, None, "w1").orders == shown["orders"]  # type: ignore[arg-type]  # the same


def test_a_person_opens_one_over_a_sleeve(stopped: Home, loop: Loop) -> None:  # noqa: F811 - the fixture
    """What a wider window covers already stays that one's; without a name, a cause or such a sleeve nothing is opened."""
    name = loop.book.names[0]
    assert told("incidents", "open", "--cause", "odd fills", "--sleeve", name, "--as", "bob")["state"] == "taken"
    assert "odd fills" in (stopped.memory / "incidents" / "w2.md").read_text()  # at once, not with the next hour's look
    newest = told("incidents", "list")["items"][0]
    assert (newest["id"], newest["opened_by"], newest["sleeves"]) == ("w2", "bob", [name])
    assert "by name" in refused("incidents", "open", "--cause", "x")
    assert "unknown sleeve" in refused("incidents", "open", "--cause", "x", "--sleeve", "nobody", "--as", "bob")
    assert "too long" in refused("incidents", "open", "--cause", "x" * 301, "--as", "bob")
    assert "not open" in refused("incidents", "close", "w9", "--cause", "x", "--lesson", "y", "--as", "bob", "--yes")
    assert "never a window" in refused("incidents", "show", "w9")
    assert [e.body["what"] for e in read(stopped.desk_journal, {"window"})] == ["open", "open"]


def test_without_a_worker_the_word_waits_for_the_next_one(stopped: Home) -> None:  # noqa: F811 - the fixture
    """Recorded; a second one about the same window is refused; the start that follows takes it, once."""
    assert "as soon as it runs" in ran("incidents", "open", "--cause", "a drill", "--as", "bob").output
    assert "waits for the worker already" in refused("incidents", "open", "--cause", "a drill", "--as", "bob")
    for _ in range(2):
        made = loop_of(stopped, feed_of(stopped), fold(stopped.desk_journal))
        assert list(made.book.incidents["open"]) == ["w1", "w2"]
        made.journal.close()


def test_an_order_s_life_is_a_line_of_states_with_its_fills(stopped: Home) -> None:  # noqa: F811 - the fixture
    """An entry: intended, sent, worked, filled, done; a protective order stands. By the API the same."""
    items = told("orders", "list", "--limit", "50")["items"]
    entry = next(o for o in items if o["slot"] == "entry")
    found = told("orders", "show", entry["cid"])
    assert found == entry
    assert [s["state"] for s in found["states"]][:2] == ["intended", "sent"]
    assert (found["state"], found["open"]) == ("done", False)
    assert sum(fill["lots"] for fill in found["fills"]) == found["filled_lots"] == found["lots"]
    assert all({"state", "t_ms", "why"} <= set(state) for state in found["states"])
    assert {o["slot"] for o in told("orders", "list", "--open")["items"]} <= {"protective", "target"}
    assert f"{entry['cid']}" in ran("orders", "show", entry["cid"]).output
    assert "knows no order" in refused("orders", "show", "nd0000000000E00")
    assert "knows no order" in refused("orders", "show", "../../etc")
    at = ApiContext(stopped)
    assert routes.order(at, None, entry["cid"]).model_dump() == entry  # type: ignore[arg-type]  # the session is not read
    fill = found["fills"][0]["event"]
    assert f"order   {entry['cid']}: intended" in ran("journal", "explain", fill).output


def test_reconcile_shows_what_blocks_and_what_can_be_done(stopped: Home) -> None:  # noqa: F811 - the fixture
    """Each difference with its choices; who waits is journaled and moves nothing."""
    found = told("reconcile")
    (odd,) = found["differences"]
    assert (found["entries_blocked"], odd["what"], found["windows"]) == (True, "odd", ["w1"])
    assert [choice["choice"] for choice in odd["choices"]] == ["adopt", "close", "wait"]
    assert "nightdesk adopt odd" in odd["choices"][0]["does"]
    assert routes.reconcile(ApiContext(stopped), None).model_dump()["differences"] == [odd]  # type: ignore[arg-type]  # as above
    assert told("reconcile", "--wait", "odd", "--as", "ann", "--reason", "asked the venue") == found
    (waits,) = [e.body for e in read(stopped.people_journal, {"wait"})]
    assert (waits["difference"], waits["actor"]["name"]) == ("odd", "ann")
    assert "unknown difference" in refused("reconcile", "--wait", "other", "--as", "ann", "--reason", "x")
    assert "a reason" in refused("reconcile", "--wait", "odd", "--as", "ann")
    assert "needs a name" in refused("reconcile", "--wait", "odd", "--reason", "x")


def test_orders_are_held_against_their_laws(stopped: Home, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """A sound journal passes, of the home and by its file alone; one whose chain is whole and that orders twice does not."""
    laws = told("journal", "verify", "--orders")["orders"]
    assert (laws["ok"], laws["broken"]) == (True, [])
    assert laws["orders"] >= 3
    by_file = told("journal", "verify", "--orders", "--file", str(stopped.desk_journal))
    assert (by_file["desk"]["ok"], by_file["orders"]) == (True, laws)
    path = tmp_path / "twice" / "desk.jsonl"
    journal = Journal(path, "test")
    body = {"order": "nd1", "reduce_only": True, "sleeve": "s"}
    journal.append([Event("intent", 0, body), Event("intent", 0, body)])
    journal.append([Event("intent", 0, {"reduce_only": True})])
    journal.close()
    result = ran("journal", "verify", "--orders", "--file", str(path))
    assert (result.exit_code, "BROKEN" in result.output) == (1, True)
    path.write_bytes(path.read_bytes().replace(b'"sleeve":"s"', b'"sleeve":"t"', 1))
    broken = CliRunner().invoke(main.app, ["journal", "verify", "--orders", "--file", str(path), "--json"])
    assert (broken.exit_code, json.loads(broken.stdout)["orders"]["orders"]) == (1, 0)
    assert "no journal at" in refused("journal", "verify", "--file", str(tmp_path / "none"))


def test_a_halt_on_a_journal_that_lost_its_end_is_no_end(stopped: Home) -> None:  # noqa: F811 - the fixture
    """The worker had been further, with a position: what is left is not known, and `status` shows no older desk as this one."""
    mark = mark_at(stopped.desk_journal)
    assert mark is not None
    said = {"desk_ms": mark.t_event_ms + 900_000, "open": ["sol-reversion long 3, stop at 9"], "wall_ms": 1}
    (stopped.path / FILE).write_text(json.dumps(said))
    for cut in (lambda: None, stopped.desk_journal.unlink):
        cut()
        found = told("halt", "drill")
        assert found["state"] == "KILL_INCOMPLETE"
        assert found["left"][0].startswith("not known: the journal ")
        assert found["left"][1] == "sol-reversion long 3, stop at 9, as the worker last said"
        assert "and the worker had reached" in ran("status").output
        assert "Start it with" not in ran("status").output


@pytest.mark.parametrize("tried", [True, False])
def test_the_status_says_that_a_halt_has_left_something(
    stopped: Home,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    tried: bool,
) -> None:
    """Once everything has been tried: nothing is being flattened any more. That no worker runs is said beside it."""
    found = HaltState("KILL_INCOMPLETE", ["okx:X: the venue does not list it"], 1, tried=tried)
    monkeypatch.setattr("engine.watch.halt_left.halt_state", lambda _path, _since_ms: found)
    ran("halt", "--reason", "drill")
    said = ran("status").output
    assert ("KILL_INCOMPLETE: still there: okx:X: the venue does not list it" in said) is tried
    assert "NO WORKER RUNS" in said


def test_a_halt_says_what_is_left(stopped: Home) -> None:  # noqa: F811 - the fixture
    """A position leaves at the next open: until then the halt is not complete, and the line names it."""
    found = told("halt", "drill")
    assert (found["halted"], found["state"]) == (True, "KILL_INCOMPLETE")
    assert any("leaves at the next open" in line for line in found["left"])
    assert "still there" in ran("halt", "drill").output


def test_what_a_window_made_adds_up_for_its_reader() -> None:
    """`realised -26.06, fees +7.59, funding -0.24` of -14.97 was a sum of nothing: open positions were not named."""
    money = {"pnl": -14.972129, "realised": -26.056037, "fees": 7.5945, "funding": -0.2355, "orphans": 0}
    assert incidents._money_text(money) == (
        "P&L -14.97: realised -26.06 (fees of 7.59, funding -0.24 in it), open positions +11.09"
    )
    found = incidents._money_text({"pnl": 113.0, "realised": 100.0, "fees": 1.0, "funding": 0.0, "orphans": 3.0})
    assert found == "P&L +113.00: realised +100.00 (fees of 1.00, funding +0.00, orphans +3.00 in it), open positions +13.00"


def test_a_close_says_whose_the_money_is_from_then_on(tmp_path: Path) -> None:
    """Two windows over one sleeve: with the first closed, its P&L stays apart, and is not the strategies' again."""
    journal = Journal(journal_of(tmp_path), "worker")
    for n, sleeves in enumerate((["eth", "btc"], ["eth"]), 1):
        about = {"what": "open", "taken": True, "window": f"w{n}", "by": "ann", "cause": "a feed", "sleeves": sleeves}
        journal.append([Event("window", n, about | {"instruments": []})], sync=False)
    journal.close()
    assert incidents._then(tmp_path, "w1") == "eth stays apart, w2 covers it too"
    assert incidents._then(tmp_path, "w9") == "from now on the strategies have their own again"


def test_the_timeline_is_of_the_window_and_reads(tmp_path: Path) -> None:
    """A fill with its quantity and a price as prices are written; no breaker of a sleeve that the window does not cover."""
    write_desk(tmp_path)
    write_incident(tmp_path)
    (window,) = windows_of(journal_of(tmp_path))
    text = page_text(tmp_path, window)
    assert "trend-btc buy 1 at 95.00, order" in text
    assert "by mara, open; as of 2025-03-06 00:45Z." in text
    other = Event("breaker", 1, {"sleeve": "sol", "breaker": "loss streak"})
    assert incident_pages._event_text(other, window) == ""
    assert "loss streak" in incident_pages._event_text(other._replace(body=other.body | {"sleeve": "trend-btc"}), window)
