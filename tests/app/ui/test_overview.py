"""The desk at a glance, without a browser: what its figures, lists and bars say of which desk."""

from typing import Any

import pytest

from app.ui import figures, money, overview, page_client, parts, sleeves, urgent
from app.ui.page_client import PageClient, Trouble
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_figures import hold_line, lately, periods
from tests.app.ui.fake_shapes import NOW_MS, alert, card, curve, desk, sleeve
from tests.app.ui.looking import page, texts_of

MADE = {one["sleeve"]: one for one in lately([None, "btc-trend"])["items"]}
THIN = "\u202f"


def tile(name: str, status: dict[str, Any]) -> dict[str, str]:
    """One figure of the strip."""
    return next(t for t in overview.tiles(status, MADE, hold_line()) if t["name"].startswith(name))


def test_the_strip_says_what_was_made_and_what_holding_would_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign and a colour for results, the R and the trips that closed; holding in money beside the result since the start."""
    assert (tile("Today", desk())["value"], tile("Today", desk())["tone"]) == ("+12.50", "pos")
    assert tile("7 days", desk())["note"] == f"\u22120.40{THIN}R, 3 trips closed"
    assert (tile("Since", desk())["value"], tile("Since", desk())["tone"]) == ("\u2212349.88", "neg")
    assert tile("Since", desk())["note"] == "holding \u22122,950"
    assert overview.holding({"equity": [], "return_frac": None}) is None


def test_the_line_of_holding_begins_with_the_desk_s() -> None:
    """It is bought at the first open, before the desk's first close: its first point would be left of the frame."""
    begun = curve()["close_ms"][0]
    hold = {"close_ms": [begun - 60_000, begun, begun + 1], "equity": [1.0, 2.0, 3.0]}
    drawn = next(line for line in overview.spec(curve(), hold, 0)["lines"] if line["name"] == "hold")
    assert drawn["x"] == [begun, begun + 1]


@pytest.mark.parametrize(("venue_lots", "said"), [(0, "The venue holds nothing of"), (100, "No protective order works")])
def test_a_position_that_the_venue_does_not_hold_asks_for_no_stop(
    monkeypatch: pytest.MonkeyPatch, venue_lots: int, said: str
) -> None:
    """It was closed there by hand: a stop placed now would guard nothing, and the figures here are of no position."""
    held = sleeve("btc-trend", with_position=True)
    held["position"]["layers"][0] |= {"covered": False, "protective_state": "rejected"}
    found = {"differences": [{"instrument": "binance:BTC-USDT:perp", "card": {"venue_lots": venue_lots}}]}
    notes = list[str]()
    monkeypatch.setattr(overview.parts, "note", lambda strong, *rest, **more: notes.append(strong))
    for name in ("table", "head"):
        monkeypatch.setattr(overview.parts, name, lambda *args, **more: None)
    monkeypatch.setattr(overview, "_trips", lambda *args: [])
    api: Any = type("Api", (), {"last": lambda self, path: found})()
    overview.positions(api, desk() | {"mode": "testnet"}, [held])
    assert notes == [f"■ {said}"]


def test_the_drawdown_is_from_the_highest_equity_and_names_the_breakers_reference() -> None:
    """After a release the breaker measures from another peak: both are there. Without one its limit is. No figure has a sign."""
    moved = tile("Drawdown", desk())
    assert (moved["value"], moved["note"]) == (
        f"3.40{THIN}%",
        f"breaker 1.17{THIN}% from 30,000, halts at 15{THIN}%",
    )
    assert tile("Drawdown", desk() | {"breaker_peak": 30_500.0})["note"] == f"desk halts at 15{THIN}%"
    assert tile("Drawdown", desk() | {"drawdown_frac": None})["value"] == "–"


def test_a_mark_close_to_its_stop_is_amber_and_one_on_its_way_is_not() -> None:
    """Less than a tenth of the way from entry to stop is left; of a short, too."""
    near = sleeve("btc-trend", with_position=True) | {"mark": 62_950.0}
    (row,) = overview.layer_rows(near, None, NOW_MS)
    assert row[9] == (f"▲ 62,900.0 \u22120.08{THIN}% stop", "wrn")
    (row,) = overview.layer_rows(near | {"mark": 63_100.0}, None, NOW_MS)
    assert row[9] == f"62,900.0 \u22120.32{THIN}% stop"
    near["position"]["layers"][0] |= {"entry": 64_000.0, "protective": 65_000.0}
    (row,) = overview.layer_rows(near | {"mark": 64_950.0}, None, NOW_MS)
    assert row[9][1] == "wrn"


def test_holding_is_drawn_no_further_than_the_desk() -> None:
    """Nothing after the desk's time, nothing before the range; the drawdown is below zero."""
    cut = curve()
    later = hold_line()
    later["close_ms"] = [ms + 86_400_000 for ms in later["close_ms"]]
    made = overview.spec(cut, later, cut["close_ms"][30])
    hold = made["lines"][1]
    assert cut["close_ms"][30] <= min(hold["x"])
    assert max(hold["x"]) <= cut["close_ms"][-1]
    assert max(value for value in made["fall"] if value is not None) <= 0


def test_a_tripped_limit_comes_first_full_and_with_its_end() -> None:
    """Then the nearest; what is far from its limit is folded away, what was not measured is no bar."""
    guards = [
        {"name": "drawdown", "value": 0.03, "limit": 0.15, "used_frac": 0.2, "unit": "frac"},
        {"name": "eth: losses in a row", "value": 3, "limit": 3, "used_frac": 1.0, "unit": "count", "until_ms": NOW_MS},
        {"name": "eth: entries of the day", "value": 2, "limit": 20, "used_frac": 0.1, "unit": "count", "until_ms": NOW_MS},
        {"name": "btc: losses in a row", "value": 2, "limit": 3, "used_frac": 0.67, "unit": "count"},
        {"name": "btc: leverage", "value": 0.1, "limit": 10, "used_frac": 0.01, "unit": "ratio"},
        {"name": "btc: spread", "value": None, "limit": 1, "used_frac": None, "unit": "frac"},
    ]
    shut, near, folded = urgent.sorted_bars(guards, NOW_MS)
    assert [bar.name for bar in shut] == ["eth: losses in a row", "eth: entries of the day"]
    assert shut[0].value == "3 of 3 · no entries until 21 Sep 14:13:20Z"
    assert [bar.name for bar in near] == ["btc: losses in a row", "drawdown"]
    assert [bar.name for bar in folded] == ["btc: leverage"]


def test_pages_come_before_proposals_and_what_somebody_has_is_grey() -> None:
    """A note and an alert that was taken ask for nothing: last, and not counted."""
    taken = alert("al-2") | {"acked_by": {"name": "ann"}}
    paused = alert("al-5", "note") | {"kind": "breaker"}  # its bar says it
    lines = urgent.needs(
        [card("prop-1", "loosens")], [paused, alert("al-3", "note"), taken, alert("al-4", "warn"), alert("al-1")]
    )
    assert [(line.sign, line.look) for line in lines] == [("■", "neg"), ("▲", "wrn"), ("▲", "wrn"), ("○", "mut"), ("◐", "mut")]
    prop = next(line for line in lines if line.strong.startswith("prop-1"))
    assert prop.rest == "20 h left. LOOSENS btc-trend: stop_atr 2 → 3."
    assert prop.to
    assert prop.to.where == {"tab": "proposals", "proposal": "prop-1"}


def test_a_position_stands_between_its_stop_and_its_target() -> None:
    """P&L is the ledger's own, R is of the first stop; of a short the stop is at the left too."""
    (row,) = overview.layer_rows(sleeve("btc-trend", with_position=True), 110.0, NOW_MS)
    ladder = row[8]
    assert isinstance(ladder, parts.Ladder)
    assert (ladder.stop, ladder.mark, ladder.target) == (62_900.0, 64_500.0, 67_000.0)
    assert row[6:8] == (("+76.50", "pos"), (f"+0.70{THIN}R", "pos"))
    assert row[9] == f"62,900.0 \u22122.48{THIN}% stop"
    assert row[11] == "1 d"
    short = parts._ladder(parts.Ladder(110.0, 100.0, 95.0, 80.0, "a<b"))
    assert 'class="e" style="left:33.3%"' in short
    assert 'class="m up" style="left:50.0%"' in short
    assert short.count("a&lt;b") == 2
    assert "a<b" not in short
    assert parts._ladder(parts.Ladder(110.0, 110.0, 110.0, None, "")) == ""


def test_a_layer_without_a_working_stop_is_red_and_first(fake: Fake) -> None:
    """Its wanted price is not shown as a stop, whatever price it has; what is open makes together is in the head."""
    bare = sleeve("eth-trend", with_position=True)
    bare["position"]["layers"][0] |= {"protective_state": "rejected", "covered": False}
    (row,) = overview.layer_rows(bare, None, NOW_MS)
    assert row[8:10] == ("", ("■ rejected, wanted 62,900.0", "neg"))
    assert sleeves.state(bare, NOW_MS) == ("■ long, NO STOP WORKS", "neg")
    fake.sleeves = [sleeve("btc-trend", with_position=True), bare | {"unrealised": -128.77}]
    text = texts_of(page(tab="desk"))
    assert "2 of 2 sleeves; USDT; \u221252.27 unrealised" in text
    assert "■ No protective order works</b> for eth-trend: place a stop at the venue by hand, or HALT." in text
    assert text.index("Open positions") < text.index("Equity, USDT"), "before every figure"
    table = text.partition("Open positions")[2]
    assert table.index("sleeve=eth-trend") < table.index("sleeve=btc-trend")


def test_a_limit_that_is_nearly_reached_is_not_folded_away(fake: Fake) -> None:
    """However many breakers have tripped: what is at 93 % of its limit is seen."""
    fake.desk["guards"] = [
        {"name": f"guard {n}", "value": share, "limit": 1.0, "used_frac": share, "unit": "ratio", "until_ms": None}
        for n, share in enumerate((1.0, 1.0, 1.0, 0.93, 0.85, 0.5))
    ]
    at = page(tab="desk")
    (folded,) = [e for e in at.expander if "more, each at" in e.label]
    assert "guard 5" in "".join(str(e.proto.body) for e in folded.get("html"))
    assert "guard 4" not in "".join(str(e.proto.body) for e in folded.get("html"))
    assert "guard 4" in texts_of(at)


@pytest.mark.parametrize(("value", "look"), [(0.004, ""), (-0.004, ""), (0.006, "pos"), (-0.006, "neg"), (0, ""), (None, "")])
def test_what_reads_as_zero_has_no_colour(value: Any, look: str) -> None:
    """As it has no sign."""
    assert figures.tone(value) == look


def test_a_latched_breaker_comes_after_a_page_and_is_counted(fake: Fake) -> None:
    """It keeps the desk from entering and waits for a release; a page does not wait. Head and list count the same."""
    fake.alerts, fake.desk["breakers"] = [alert("al-1")], ["desk daily loss"]
    text = texts_of(page(tab="desk"))
    assert text.index("<b>No bar for 3 minutes") < text.index("Breaker desk daily loss tripped.")
    assert "Needs you <small>4" in text
    assert "▲ 4 wait<" in text


def test_a_simulated_layer_that_leaves_has_no_levels_any_more() -> None:
    """The worker has cancelled its stop and target for the exit; at an account they stay until the venue says flat."""
    held = sleeve("btc-trend", with_position=True)
    held["position"]["layers"][0] |= {"due": "halt", "exit_state": "sent"}
    (row,) = overview.layer_rows(held, 110.0, NOW_MS, simulated=True)
    assert row[8:11] == ("", "leaves next open: halt", "–")
    (row,) = overview.layer_rows(held, 110.0, NOW_MS)
    assert row[9] == f"62,900.0 \u22122.48{THIN}% stop; leaves by halt, exit sent"


def test_net_is_realised_and_unrealised_in_words_and_bars() -> None:
    """By week a bar has its Monday, by month its name; a period that a mark does not say is no bar and makes no sum.

    Calendar periods are not the tile's rolling 7 or 30 days: the sum says from which day on it is.
    """
    items = periods("week")["items"]
    made = money.spec(items, "month")
    assert [bar["tone"] for bar in made["items"]] == ["down", "down", "up"]
    rows, since = dict(money.summary(items, "week")), money.label(items[0]["from_ms"], "week")
    assert rows[f"net of 3 weeks from {since}, 1 up, 2 down"] == ("\u221226.50", "neg")
    assert rows["realised, after fees and funding"] == ("\u221230.50", "neg")
    items[0]["net"] = None
    assert len(money.spec(items, "week")["items"]) == 2
    assert dict(money.summary(items, "week"))[f"net of 3 weeks from {since}, 1 up, 1 down"] == ("–", "")
    assert money.label(NOW_MS, "month") == "Sep 2026"


@pytest.mark.parametrize(
    ("more", "cell"),
    [
        ({}, ("○ flat", "")),
        ({"position": {"side": "long"}}, ("● long", "")),
        ({"paused_until_ms": NOW_MS}, ("◐ paused until 21 Sep 14:13:20Z, flat", "wrn")),
        ({"paused": True, "position": {"side": "short"}}, ("◐ paused by a person, short", "wrn")),
        ({"shut_until_ms": -1}, ("◐ no_entry never opens, flat", "wrn")),
        ({"stage": "retired", "order": {"side": "long"}}, ("◐ retired, flat, long order pending", "wrn")),
    ],
)
def test_a_sleeves_state_has_a_sign_and_is_amber_when_nothing_enters(more: dict[str, Any], cell: tuple[str, str]) -> None:
    """Never by colour alone."""
    assert sleeves.state(sleeve("x") | {"position": None} | more, NOW_MS) == cell


def test_figures_of_a_mark_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again with the next mark, and each time while there is none."""
    asked: list[str] = []

    class Counting(PageClient):
        def get(self, path: str, **query: Any) -> Any:
            asked.append(path)
            return len(asked)

    monkeypatch.setattr(page_client.st, "session_state", {})
    api = Counting(None, known=True)  # type: ignore[arg-type]
    assert [api.as_of(event, "/a", unit="day") for event in ("d-1", "d-1", "d-2", None, None)] == [1, 1, 2, 3, 4]
    api.as_of("d-1", "/a", unit="week")
    assert len(asked) == 5


def test_the_last_figures_stand_while_the_api_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read stays; what never was, and a refusal, is said."""
    silent, refused = Trouble("no answer"), Trouble("no", status=401)
    answers: list[Any] = [7, silent, silent, refused]

    class Failing(PageClient):
        def get(self, path: str, **query: Any) -> Any:
            answer = answers.pop(0)
            if isinstance(answer, Trouble):
                raise answer
            return answer

    monkeypatch.setattr(page_client.st, "session_state", {})
    monkeypatch.setattr(page_client, "FRESH_S", -1.0)  # each time a new answer
    api = Failing(None, known=True)  # type: ignore[arg-type]
    assert [api.last("/a"), api.as_of("d-2", "/a")] == [7, 7]
    for path, why in (("/b", "no answer"), ("/a", "no")):
        with pytest.raises(Trouble, match=why):
            api.last(path)


def test_without_the_watch_nothing_is_claimed_of_alerts(fake: Fake) -> None:
    """No alert may mean that nobody raises any: the view says which."""
    assert "Nothing waits for a person." not in texts_of(page(tab="desk"))  # two proposals do
    fake.proposals.clear()
    assert "Nothing waits for a person." in texts_of(page(tab="desk"))
    fake.no_watch = "this API was started alone"
    text = texts_of(page(tab="desk"))
    assert "Nothing waits" not in text
    assert "No alert is raised:</b> this API was started alone." in text


def test_a_closed_trip_has_the_time_of_the_event_that_it_leads_to(fake: Fake) -> None:
    """Journal and executions say when its bar closed; a list that said when that bar opened would contradict them."""
    text = texts_of(page(tab="desk"))
    closed = text[text.index("Latest round trips") :]
    assert "event=d-3" in closed
    assert "20 Sep 14:28:20Z" in closed
    assert "20 Sep 14:13:20Z" not in closed


def test_a_phone_shows_what_is_open_and_who_loses_before_the_curve(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs a person first, then positions, sleeves and limits; each once. A wide screen has the curve beside the first."""
    order = ("Needs you", "Open positions", "USDT, net of costs; configuration", "Guardrails", "Equity, USDT; drawdown below")
    wide = texts_of(page(tab="desk"))
    assert wide.index("Equity, USDT; drawdown below") < wide.index("Open positions")
    monkeypatch.setattr(parts, "phone", lambda: True)
    text = texts_of(page(tab="desk"))
    assert [text.count(words) for words in order] == [1] * len(order)
    assert sorted(order, key=text.index) == list(order)


@pytest.mark.parametrize("broken", ["benchmark", "lately/sleeves", "equity", "trips", "periods"])
def test_a_part_that_fails_alone_leaves_the_others(fake: Fake, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Its refusal stands in its place; what needs a person, what is open and the limits are drawn all the same."""
    whole = fake.answer

    def answer(method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == f"/api/desk/{broken}":
            return 500, {"error": {"kind": "Internal", "what": "this part is broken", "hint": ""}}
        return whole(method, path, query, body)

    monkeypatch.setattr(fake, "answer", answer)
    at = page(tab="desk")
    assert not at.exception
    text = texts_of(at)
    assert "this part is broken" in text
    for words in ("Needs you", "Open positions", "USDT, net of costs; configuration", "Guardrails", "Shared exposure"):
        assert words in text, words


def test_before_the_first_bar_no_version_is_made_up(fake: Fake) -> None:
    """And nothing is a dash that a sentence can say: no sleeve, no guardrail, no time of figures."""
    fake.sleeves.clear()
    fake.desk |= {"version": None, "active_version": None, "guards": [], "desk_ms": None}
    fake.desk["worker"] |= {"running": False}
    text = texts_of(page(tab="desk"))
    assert "no configuration runs yet" in text
    assert "vNone" not in text
    assert "Figures are of –" not in text
    assert "add a table [[sleeves]] to desk.toml" in text
    assert "Measured from the first bar on." in text
    assert "What they run" not in texts_of(page(tab="sleeves"))


def test_a_phone_lists_the_loudest_and_counts_the_others(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages before warnings; nothing is left out without a word."""
    fake.proposals.clear()
    fake.alerts = [alert(f"al-{n}", "warn") | {"what": f"warning {n}"} for n in range(6)] + [alert("al-9", "page")]
    assert "and 2 more" in texts_of(page(tab="desk"))
    monkeypatch.setattr(parts, "phone", lambda: True)
    text = texts_of(page(tab="desk"))
    assert "and 4 more" in text
    listed = text[text.index("Needs you") : text.index("and 4 more")]
    assert listed.count("▲") == 2
    assert listed.count("■") == 1


def test_positions_are_above_what_only_explains(fake: Fake) -> None:
    """Sleeves and shared exposure come after them; limits near their end do not push them down a screen."""
    fake.desk |= {"guards": [guard(n, 0.5 + n / 100) for n in range(9)]}
    text = texts_of(page(tab="desk"))
    order = ("Needs you", "Guardrails", "Open positions", "USDT, net of costs; configuration", "Shared exposure")
    assert sorted(order, key=text.index) == list(order)
    above = text[text.index("Guardrails") : text.index("Open positions")]
    assert above.count("half way") == 9
    assert next(box.label for box in page(tab="desk").expander) == f"6 more, each at 55{THIN}% or less"


def guard(n: int, used: float) -> dict[str, Any]:
    """A limit of which a part is used."""
    return {"name": f"half way {n}", "value": used, "limit": 1.0, "used_frac": used, "unit": "ratio", "until_ms": None}


def test_a_limit_that_is_reached_is_never_folded() -> None:
    """However many there are; beside them at least the nearest one."""
    bars = urgent.sorted_bars([guard(n, 1.0) for n in range(6)] + [guard(7, 0.5)], NOW_MS)
    assert len(bars[0]) == 6
    assert urgent.NEAR_MIN >= 1


def test_an_alert_in_a_line_ends_where_a_part_of_it_ends() -> None:
    """Its view has the whole; how long it is open needs no date."""
    what = "Watched level passed: price of BTC-USDT perp (okx) above 1,000 (w-1); now 82,956.4, desk time 2025-02-20 03:00Z."
    assert urgent.brief(what) == "Watched level passed: price of BTC-USDT perp (okx) above 1,000 (w-1); now 82,956.4 …"
    assert urgent.brief("No bar for 3 minutes.") == "No bar for 3 minutes."
    assert len(urgent.brief("word " * 60)) <= urgent.BRIEF + 2
    old = alert("al-1", "warn") | {"since_ms": NOW_MS - 13 * 60_000}
    (line,) = urgent.needs([], [old], NOW_MS, (), NOW_MS)
    assert line.rest == "Open 13 min."
    (line,) = urgent.needs([], [old | {"what": what}], NOW_MS, (), None)
    assert line.rest.startswith("Since ")
    assert line.strong == urgent.brief(what)


def test_a_sleeve_has_a_small_line_that_both_themes_show(fake: Fake) -> None:
    """An image whose text names it; nothing of a sleeve's name gets into it, and one value is no line."""
    assert texts_of(page(tab="sleeves")).count('class="spark"') == len(fake.sleeves)
    drawn = parts._inner(parts.Spark([1.0, None, 3.0], 'a"<b>'))[0]
    assert 'alt="a&quot;&lt;b&gt;"' in drawn
    assert "<svg" not in drawn
    assert parts._inner(parts.Spark([1.0], "x")) == ("", "")
    flat = parts._inner(parts.Spark([2.0, 2.0], "x"))[0]
    assert "nan" not in flat


def test_a_part_of_the_size_and_a_time_since_are_in_words() -> None:
    """A name of the code and a bare instant mean nothing at night; nothing is claimed of a clock that is not known."""
    assert figures.change_text({"key": "size_part", "old": None, "value": 0.5}) == "part of the size: whole → 50\u202f%"
    assert figures.change_text({"key": "btc.resumes_ms", "old": None, "value": 0}).startswith(
        "btc.pause ends: no end → 1 Jan 1970"
    )
    minute = 60_000
    assert figures.since(minute, 13 * minute) == "1 Jan 00:01Z, for 12 min"
    assert figures.since(minute, minute) == "1 Jan 00:01Z"
    assert figures.since(minute, None) == "1 Jan 1970 00:01Z"
    assert figures.since(None, minute) == "–"
