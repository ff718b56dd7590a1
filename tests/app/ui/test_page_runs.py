"""Runs on the page: the list, one run with its figures and trips, its name; hostile names stay text in the HTML of its panels."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.ui import drawn as drawn_module
from app.ui import parts, runs, tokens
from tests.app.ui.fake_api import Fake
from tests.app.ui.looking import page, texts_of

EVIL = "</div><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'&{{7*7}}"
ROOT = Path(__file__).resolve().parents[3]
OURS = {"h1", "h2", "p", "span", "small", "code", "i", "b", "div", "table", "thead", "tbody", "tr", "th", "td", "a"}


class Tags(HTMLParser):
    """The tags and attributes of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.given: set[str] = set()
        self.leads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Called by the parser."""
        self.found.add(tag)
        self.given |= {name for name, _ in attrs}
        self.leads += [str(value) for name, value in attrs if name == "href"]


def components(at: Any) -> list[dict[str, Any]]:
    """What the components of a page were given."""
    shown = at.get("bidi_component")
    found = [json.loads(e.proto.json) for e in shown if e.proto.json]
    charts = [candle_chart(*map(json.loads, e.proto.bytes.split(b"\n"))) for e in shown if e.proto.bytes]
    return [*charts, *(part for data in found for part in (data if isinstance(data, list) else [data]) if isinstance(part, dict))]


def candle_chart(about: dict[str, Any], chart: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """A chart's lines of JSON as one; other venues' bars under their names."""
    named = [{"name": name, **other} for name, other in zip(about["others"], others, strict=True)]
    return {**about, "chart": {**chart, "others": named}}


def drawn(at: Any) -> list[dict[str, Any]]:
    """What its charts and long tables were given."""
    return [data for data in components(at) if "spec" in data]


def test_a_search_shows_what_it_has_found_while_it_runs(fake: Fake) -> None:
    """A row a fold with what is best so far; text from outside has no effect."""
    so_far = {
        "text": "12 of 61 variations run",
        "columns": ["fold", "train_sharpe", EVIL],
        "rows": [[1, 0.5, 2.0], [2, None, 3.0]],
    }
    fake.jobs["j-8"] = {
        "id": "j-8",
        "kind": "walkforward",
        "state": "running",
        "progress": 0.2,
        "partly": so_far,
    }
    at = page(tab="runs")
    assert so_far["text"] in texts_of(at)
    assert list(at.dataframe[0].value["fold"]) == [1, 2]


def test_a_run_begins_with_its_verdict_and_holds_every_trip(fake: Fake) -> None:
    """How long it traded stands before the first figure; the list gets every trip, the one in the address is explained."""
    at = page(tab="runs", run="r-1", trip="t12")
    text = texts_of(at)
    assert text.index("Traded all") < text.index("Return")
    for words in ("hold BTC", "Months", "By exit path", "By hour of the entry", "Deepest drawdowns", "look-ahead"):
        assert words in text
    (listed,) = [data for data in drawn(at) if data["kind"] == "table"]
    assert len(listed["spec"]["rows"]) == 60
    assert listed["follows"] == "candles_r-1_trend"
    assert [d["chosen"] for d in components(at) if "chosen" in d] == ["t12"]
    assert "Out: entered, left." in text


def test_the_next_trip_is_one_click_away(fake: Fake) -> None:
    """The one before and the next step through the trips of the chart in their order and stop at its ends."""
    fake.candle_trips = 60
    at = page(tab="runs", run="r-1", trip="t60")
    assert at.button(key="next_r-1_trend").disabled
    at.button(key="before_r-1_trend").click().run()
    assert at.query_params["trip"] == "t59"


def test_a_person_names_a_run(fake: Fake) -> None:
    """The name goes to the API and stands where the run is shown."""
    at = page(tab="runs", run="r-1")
    next(i for i in at.text_input if i.label == "Name of this run").input("wide stop")
    next(b for b in at.button if b.label == "Keep").click().run()
    assert ("POST", "/api/runs/r-1/name", {"name": "wide stop"}) in fake.asked
    assert '<h1 class="t">wide stop</h1>' in texts_of(page(tab="runs", run="r-1"))


def test_the_list_says_what_differs(fake: Fake) -> None:
    """Name, what differs, span, costs and how long it traded are columns; a picked row is a run's id."""
    fake.runs[0] |= {
        "label": "stop 2",
        "fees": 10.0,
        "slippage": 2.0,
        "paid_funding": -1.0,
        "life": "stopped by x, traded 3 of 9 days",
    }
    fake.runs[1] |= {"name": "mine"}
    (listed,) = drawn(page(tab="runs"))
    names = [column[0] for column in listed["spec"]["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in listed["spec"]["rows"]]
    assert [row["run"] for row in rows] == ["trend BTC, stop 2", "mine"]
    assert (rows[0]["costs, quote"], rows[0]["traded"]) == (13.0, "▲ 3 of 9 days")
    assert listed["spec"]["ids"] == ["r-1", "r-2"]


def test_a_hostile_name_is_text_in_every_panel(fake: Fake) -> None:
    """Strategy, reason, parameter, note and the person's name: shown, and no tag or attribute of theirs in the page's HTML."""
    fake.runs[0] |= {"strategy": EVIL, "symbol": EVIL, "name": EVIL}
    for where in ({"run": "r-1", "trip": "t12"}, {}):
        at = page(tab="runs", **where)
        bodies = [str(e.proto.body) for e in at.get("html") if not str(e.proto.body).lstrip().startswith("<style>")]
        found = [Tags(body) for body in bodies]
        assert set().union(*(t.found for t in found)) <= OURS
        assert set().union(*(t.given for t in found)) <= {"class", "title", "href"}
        assert all(href.startswith("?tab=") for tags in found for href in tags.leads)
        assert "&lt;script&gt;window.pwned=1" in "".join(bodies) or not where


def test_two_runs_stand_side_by_side(fake: Fake) -> None:
    """Verdict first, what differs with the figures of both, both curves; other bars are said before any figure."""
    at = page(tab="runs", run="r-1", **{"with": "r-2"})
    assert '<th class="t long"></th><th class="long">first: ' in texts_of(at)  # wraps: a phone has both runs without scrolling
    text = texts_of(at)
    assert text.index("The second is worse than the first") < text.index("What differs")
    assert text.index("different bars") < text.index("What differs")
    assert "stop_atr" in text
    (chart,) = [data for data in drawn(at) if data["kind"] == "chart"]
    assert [line["name"] for line in chart["spec"]["lines"]] == ["stop 1", "stop 2"]
    at.button(key="swap_runs").click().run()
    assert (at.query_params["run"], at.query_params["with"]) == ("r-2", "r-1")


def test_only_ids_are_picked(fake: Fake) -> None:
    """The list offers ticks and takes two ids or one; nothing else comes in from the browser."""
    (listed,) = [data for data in drawn(page(tab="runs")) if data["kind"] == "table"]
    assert listed["pairs"] is True
    assert drawn_module.ids_in("r-1 r-2", 2) == "r-1 r-2"
    assert [drawn_module.ids_in(text, 2) for text in ("", " ", "r-1 ", "r-1 <b>", "a b c")] == [None] * 5
    assert drawn_module.ids_in("r-1 r-2", 1) is None


@pytest.mark.slow
def test_the_form_sends_what_was_changed(fake: Fake) -> None:
    """The instrument as it is stored, the span as typed, and of the parameters those that are not at their default."""
    at = page(tab="runs")
    assert at.selectbox(key="bt_instrument").value == "BTC-USDT perp, binance"
    assert at.selectbox(key="bt_clock").value == "15m"
    at.text_input(key="bt_trend_stop_atr").input("99").run()
    assert at.button(key="bt_run").disabled
    assert "99 is out of bounds" in texts_of(at)
    at.text_input(key="bt_trend_stop_atr").input("3.5").run()
    at.text_input(key="bt_from").input(" 2025-03 ")
    at.button(key="bt_run").click().run()
    (sent,) = [body for verb, path, body in fake.asked if (verb, path) == ("POST", "/api/runs")]
    assert sent["changes"] == [{"key": "stop_atr", "value": 3.5}]
    assert {k: sent[k] for k in ("strategy", "symbol", "venue", "market", "timeframe", "start", "end")} == {
        "strategy": "trend",
        "symbol": "BTC-USDT",
        "venue": "binance",
        "market": "perp",
        "timeframe": "15m",
        "start": "2025-03",
        "end": None,
    }
    at.selectbox(key="bt_strategy").set_value("mine").run()
    at.text_input(key="bt_mine_depth").input("7").run()
    at.button(key="bt_run").click().run()
    assert fake.asked[-1][2]["changes"] == [{"key": "depth", "value": 7.0}]


def test_a_run_that_has_aged_says_so_and_is_run_again_to_the_desks_time(fake: Fake) -> None:
    """Amber, with the next step: the same request up to the desk's last whole day; its progress is in the list of runs."""
    assert not [b for b in page(tab="runs", run="r-1").button if b.label.startswith("Run it again")]
    sleeve = {"name": "trend", "strategy": "trend", "symbol": "BTC-USDT", "venue": "binance", "market": "perp", "side": "both"}
    fake.runs[0] |= {"life": {"behind": "its bars end 25 days before the desk's time"}, "fills": "pessimistic", "funding": "none"}
    fake.runs[0]["sleeves"] = [sleeve | {"cash": 500.0, "params": {"stop_atr": 3.0}}]
    at = page(tab="runs", run="r-1")
    assert "▲ Its bars end 25 days before the desk&#x27;s time:" in texts_of(at)
    at.button(key="again_r-1").click().run()
    (sent,) = [body for verb, path, body in fake.asked if (verb, path) == ("POST", "/api/runs")]
    assert (sent["start"], sent["end"], sent["cash"]) == ("2025-09-21", "2026-09-21", 500.0)
    assert sent["changes"] == [{"key": "stop_atr", "value": 3.0}]
    assert {"name", "params"}.isdisjoint(sent)
    assert dict(at.query_params) == {"tab": "runs"}


def test_classes_are_ours_whatever_the_api_says() -> None:
    """A tone that is none of ours gives no class, so nothing can leave the attribute."""
    assert parts._class('x" onmouseover="1') == ""
    assert 'class="key edge "' in parts._key({"name": "a", "tone": '"><b>', "dash": ""})


@pytest.mark.parametrize(
    ("life", "shown"),
    [
        ("traded all 365 days", "all 365 days"),
        ("stopped by its own desk drawdown breaker on 2025-12-12, traded 1,345 of 2,365 days", "▲ 1,345 of 2,365 days"),
        ("", "–"),
    ],
)
def test_a_life_in_a_few_words(life: str, shown: str) -> None:
    """A run that ended early carries its sign."""
    assert runs._life(life) == shown


def test_the_report_has_the_tokens_of_the_page() -> None:
    """One look: every colour of the report's sheet has the page's two values."""
    written = (ROOT / "engine" / "sim" / "page" / "report.css").read_text()
    report_s = {name: (dark, light) for name, light, dark in re.findall(r"--([\w]+): light-dark\(([^,]*), ([^)]*)\)", written)}
    assert len(report_s) > 10
    assert {name: tokens.TOKENS.get(name) for name in report_s} == report_s


def test_a_run_on_synthetic_bars_says_so_in_its_name() -> None:
    """On a phone the column of the data is left out, the name is not; a name that a person gave hides nothing."""
    line = {"strategy": "trend", "symbol": "BTC-USDT", "label": "stop 2", "source": "synthetic"}
    assert runs._name(line) == "trend BTC, stop 2 (SYNTHETIC)"
    assert runs._name(line | {"name": "my best"}) == "my best (SYNTHETIC)"
    assert runs._name(line | {"source": "recorded"}) == "trend BTC, stop 2"


def test_two_runs_begin_with_the_curve_on_a_phone(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its table has two screens there; what both share is said beside the curve, and nothing of it twice."""
    order = ("What differs", "Return since the first common day", "What both have in common")
    text = texts_of(page(tab="runs", run="r-1", **{"with": "r-2"}))
    assert [text.count(words) for words in order] == [1, 1, 1]
    assert text.index(order[0]) < text.index(order[1])
    monkeypatch.setattr("app.ui.parts.phone", lambda: True)
    text = texts_of(page(tab="runs", run="r-1", **{"with": "r-2"}))
    assert text.index(order[1]) < text.index(order[0])


@pytest.mark.slow
def test_a_basket_takes_several_instruments_of_one_place(fake: Fake) -> None:
    """Two are proposed; one alone, or two venues, cannot be run; what is sent names all with commas."""
    one = next(bars for bars in fake.series if (bars["symbol"], bars["series"]) == ("BTC-USDT", "15m"))
    others = [one | {"symbol": "AAA-USDT"}, one | {"symbol": "ZZZ-USDT"}, one | {"symbol": "ODD-USDT", "venue": "okx"}]
    fake.series = [*fake.series, *others]
    at = page(tab="runs")
    at.selectbox(key="bt_strategy").set_value("pairs").run()
    chosen = at.multiselect(key="bt_instruments")
    assert chosen.value[0] == "BTC-USDT perp, binance"
    assert len(chosen.value) == 2
    for few in (["BTC-USDT perp, binance"], [], ["BTC-USDT perp, binance", "ODD-USDT perp, okx"]):
        at.multiselect(key="bt_instruments").set_value(few).run()
        assert not [button for button in at.button if button.key == "bt_run"]
        assert "Choose two instruments or more of one venue and market" in texts_of(at)
    at.multiselect(key="bt_instruments").set_value([f"{s}-USDT perp, binance" for s in ("BTC", "AAA", "ZZZ")]).run()
    at.button(key="bt_run").click().run()
    (sent,) = [body for verb, path, body in fake.asked if (verb, path) == ("POST", "/api/runs")]
    assert (sent["strategy"], sent["symbol"], sent["venue"]) == ("pairs", "BTC-USDT,AAA-USDT,ZZZ-USDT", "binance")
