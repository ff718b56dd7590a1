"""A sleeve's page: its figures, its trips beside the candles, why it did not trade, and what a person proposes from it."""

import json
from typing import Any

import pytest

from app.ui import param_field, sleeve_settings
from app.ui import sleeve as sleeve_view
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_market import market_chart
from tests.app.ui.fake_shapes import NOW_MS, alert
from tests.app.ui.looking import page, texts_of
from tests.app.ui.test_page_runs import OURS, Tags, components

EVIL = "</div><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'&{{7*7}}"
long = pytest.mark.long  # a page drawn several times
HERE = {"tab": "sleeves", "sleeve": "btc-trend"}


def test_a_sleeve_s_page_has_its_figures_before_its_trips(fake: Fake) -> None:
    """Unrealised in money and R, notional and leverage, distances, four stretches, closes, settings with their version."""
    text = texts_of(page(**HERE))
    money = ("+50.00", "+0.45\u202fR", "6,450", "0.65x", "+5.00", "−26.00", "−123.50")
    away = ("−2.48\u202f%", "trail 62,900.0", "+3.88\u202f%", "no price reaches it")
    rest = (
        "▲ refused: spread_frac_max",
        "89\u202f%",
        "stop_atr",
        "0 to 20 ATR",
        "v2",
        "stop_atr 2 → 2.5",
        "trend on BTC-USDT perp",
    )
    for words in (*money, *away, *rest):
        assert words in text, words
    assert ">0.00<" in text  # no sign on zero
    assert text.index("Unrealised") < text.index("Round trips") < text.index("Settings")


def test_the_newest_trip_is_explained_and_the_one_before_is_one_click_away(fake: Fake) -> None:
    """Chart and table get every trip; the chosen one is marked in both by one small component; the ends have no next."""
    at = page(**HERE)
    assert "Trip t3" in texts_of(at)
    assert "long signal of strength 0.70" in texts_of(at)
    assert at.button(key="next_desk_btc-trend").disabled
    assert "trip" not in at.query_params
    at.button(key="before_desk_btc-trend").click().run()
    assert at.query_params["trip"] == "t2"
    assert "Trip t2" in texts_of(at)
    found = components(at)
    assert [d["chosen"] for d in found if "chosen" in d] == ["t2"]
    (table,) = [d for d in found if d.get("kind") == "table"]
    assert (len(table["spec"]["rows"]), table["follows"]) == (3, "candles_desk_btc-trend")
    assert table["spec"]["file"] == "trips-btc-trend"
    at.query_params["trip"] = "t1"
    at.run()
    assert at.button(key="before_desk_btc-trend").disabled


@long
def test_another_venue_s_bars_of_the_same_instrument_are_a_second_line(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Venues with bars of the same symbol, market and timeframe are offered, none with a tag; the chosen one's bars are added."""
    from tests.app.ui import fake_api

    place = {"symbol": "BTC-USDT", "market": "perp", "series": "15m", "tag": ""}
    others = [
        {"venue": "okx"},
        {"venue": "bybit", "series": "1h"},
        {"venue": "a", "tag": "old"},
        {"venue": "b", "market": "spot"},
    ]
    files = [place | more for more in ({"venue": "binance"}, *others)]
    monkeypatch.setitem(fake_api.ROUTES, ("GET", "/api/data"), lambda f, q, b: {"items": files})
    asked: list[dict[str, str]] = []
    route = ("GET", "/api/markets/candles")
    monkeypatch.setitem(fake_api.ROUTES, route, lambda f, q, b: asked.append(q) or fake_api.market_chart(0))
    at = page(**HERE)
    pills = next(one for one in at.get("button_group") if one.label == "The same on")
    assert [o.content for o in pills.proto.options] == ["okx"]
    pills.set_value("okx").run()
    assert (asked[0]["instrument"], asked[0]["timeframe"]) == ("okx:BTC-USDT:perp", "15m")
    (chart,) = [d["chart"] for d in components(at) if "chart" in d]
    assert asked[0]["until_ms"] == str(chart["until_ms"])
    assert [other["name"] for other in chart["others"]] == ["okx"]
    assert chart["others"][0]["bars"]["count"] == 200


def test_the_candles_are_sent_before_the_rest_is_read(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what a person waits for. Their text passes through as it came: half a megabyte is not written anew."""
    from app.ui import candles, page_client

    read, own = [], page_client.PageClient._call
    monkeypatch.setattr(
        page_client.PageClient, "_call", lambda self, m, path, *a, **k: read.append(path) or own(self, m, path, *a, **k)
    )
    show, before = candles.show, []
    monkeypatch.setattr(candles, "show", lambda *a, **k: before.extend(read) or show(*a, **k))
    at = page(**HERE)
    assert before[-1] == "/api/desk/candles"
    assert len(before) == len(set(before)) <= 6
    later = set(read) - set(before)
    assert {"/api/sleeves/btc-trend/trips", "/api/desk/lately", "/api/desk/equity", "/api/data"} <= later
    (sent,) = [e.proto.bytes for e in at.get("bidi_component") if e.proto.bytes]
    assert json.loads(sent.split(b"\n")[1]) == market_chart(3)


def test_a_chart_that_cannot_be_drawn_leaves_the_trips(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason stands in the chart's place; table and explanation stay."""
    from tests.app.ui import fake_api

    trouble = (503, {"error": {"kind": "DataError", "what": "no 15m bar", "hint": "import some"}})
    monkeypatch.setitem(fake_api.ROUTES, ("GET", "/api/desk/candles"), lambda f, q, b: trouble)
    text = texts_of(page(**HERE))
    assert "No candles." in text
    assert "no 15m bar. import some" in text
    assert "Trip t3" in text


def test_a_desk_that_has_not_begun_says_what_to_do(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No empty chart: one sentence and the next step."""
    from tests.app.ui import fake_api

    route = fake_api.ROUTES["GET", r"/api/sleeves/([^/]+)"]
    monkeypatch.setitem(
        fake_api.ROUTES,
        ("GET", r"/api/sleeves/([^/]+)"),
        lambda f, q, b, i: route(f, q, b, i) | {"desk_ms": None, "position": None, "closes": []},
    )
    at = page(**HERE)
    assert "Next: nightdesk up" in texts_of(at)
    assert not components(at)[1:]  # the page's link catcher alone
    assert "flat" in texts_of(at)


def test_an_unknown_sleeve_is_named_and_the_list_leads_on(fake: Fake) -> None:
    """An old link is not an error page."""
    text = texts_of(page(tab="sleeves", sleeve="gone"))
    assert "the desk has no sleeve gone" in text
    assert 'href="?tab=sleeves&amp;sleeve=btc-trend"' in text


@long
def test_an_alert_of_this_sleeve_stands_above_its_figures(fake: Fake) -> None:
    """Those of other sleeves, and of one whose name begins alike, do not. Its time says of which clock it is. The page that
    stands in the strip above is not said again."""
    for n, place in enumerate(("btc-trend", "btc-trend-2", "eth-trend", "btc-trend"), 1):
        said = {"what": f"no protective order, {n}", "since_ms": NOW_MS, "action": "look with `nightdesk doctor`."}
        fake.alerts.append({"id": f"a-{n}", "severity": "page", "place": place, **said})
    text = texts_of(page(**HERE))
    assert "<b>■ no protective order, 4.</b> Since 21 Sep 14:13Z (wall clock). To do: look with nightdesk doctor." in text
    assert "no protective order, 2" not in text
    assert text.count("no protective order, 1") == 1
    assert "PAGE: no protective order, 1." in text
    assert "no protective order, 3" not in text


def press(at: Any, key: str, why: str) -> Any:
    """Fill in the reason of a form and send it."""
    at.text_input(key=f"{key}_why_btc-trend").input(why)
    form = next(b for b in at.button if b.proto.form_id == f"{key}_btc-trend")
    return form.click().run()


def test_a_pause_is_proposed_with_its_reason_and_its_card_is_shown(fake: Fake) -> None:
    """The API gets what the tool gets, once."""
    fake.proposals.pop("prop-2")
    at = press(page(**HERE), "pause", "three losses")
    body = {"sleeve": "btc-trend", "changes": [{"key": "paused", "value": True}], "rationale": "three losses"}
    assert fake.asked == [("POST", "/api/proposals", body)]
    assert "**prop\\-1**" in texts_of(at)


def test_a_pause_has_an_end_where_a_person_says_so(fake: Fake) -> None:
    """A span or words, as the tool reads them; words that are left out are asked for and nothing is sent."""
    at = page(**HERE)
    assert "at most 90 days ahead" not in texts_of(at)
    at.radio(key="ends_btc-trend").set_value("until a time").run()
    assert "at most 90 days ahead" in texts_of(at)
    at = press(at, "pause", "cpi")
    assert "Say until when:" in texts_of(at)
    assert fake.asked == []
    at.text_input(key="ends_at_btc-trend").input("monday 06:00Z")
    press(at, "pause", "cpi")
    assert [(body["changes"], body["ends"]) for _, _, body in fake.asked] == [
        ([{"key": "paused", "value": True}], "monday 06:00Z")
    ]


@long
def test_nothing_is_proposed_without_a_reason_and_a_refusal_is_in_the_api_s_words(fake: Fake) -> None:
    """Blanks are no reason, but for a pause, which only stops entries; what was refused is not sent again."""
    at = press(page(**HERE), "tighten", "  ")
    assert "Say why" in texts_of(at)
    at.run()
    assert "Say why" in texts_of(at), "the page draws itself anew while somebody reads"
    assert fake.asked == []
    assert "Say why" not in texts_of(press(at, "tighten", "calmer"))
    fake.asked.clear()
    press(page(**HERE), "pause", "  ")
    assert [body["rationale"] for _, _, body in fake.asked] == ["paused from the page, no reason given"]
    fake.asked.clear()
    at = page(**HERE)
    fake.proposing = lambda _: (409, {"error": {"kind": "Refused", "what": "one waits", "hint": "decide it"}})
    at = press(at, "pause", "again")
    assert "one waits. decide it" in texts_of(at)
    at.run()
    assert len(fake.asked) == 1


@long
def test_evidence_that_runs_is_asked_for_again(fake: Fake) -> None:
    """The same body each time, until the card is there; meanwhile the way out."""
    answers = [(202, {"state": "evidence", "proposal": None, "jobs": ["j-1"], "progress": 0.5})]
    fake.proposing = lambda _: answers.pop() if answers else (200, {"state": "made", "proposal": fake.proposals["prop-1"]})
    at = press(page(**HERE), "tighten", "calmer")
    assert any(b.label == "Do not propose it" for b in at.button)
    at.run()
    assert "**prop\\-1**" in texts_of(at)
    sent = [body for _, path, body in fake.asked if path == "/api/proposals"]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert sent[0]["changes"] == [{"key": "risk_start_frac", "value": 0.002}]


def test_what_was_proposed_before_the_page_was_left_is_found_again(fake: Fake) -> None:
    """Another session of the same person sends the same again; the proposals tab says that it is under way, and who has none
    to send asks for nothing.
    """
    body = {"sleeve": "btc-trend", "changes": [{"key": "stop_atr", "value": 3.0}], "rationale": "noise"}
    fake.under_way = [body | {"ends": None, "since_ms": NOW_MS}, body | {"sleeve": "eth-trend", "since_ms": NOW_MS}]
    fake.proposing = lambda _: (202, {"state": "evidence", "proposal": None, "jobs": ["j-1"], "progress": 0.5})
    at = page(**HERE)
    assert ("POST", "/api/proposals", body) in fake.asked
    assert "You may leave this page" in texts_of(at)
    assert any(b.label == "Do not propose it" for b in at.button)
    listed = texts_of(page(tab="proposals"))
    assert "The evidence of a proposal for btc-trend runs:" in listed
    assert "stop_atr = 3" in listed
    fake.asked.clear()
    fake.session = None
    assert "You may leave this page" not in texts_of(page(**HERE))
    assert fake.asked == []


@long
def test_settings_are_proposed_within_their_bounds(fake: Fake) -> None:
    """Its form is drawn when it is opened; a value out of bounds is named and not sent; a word is one of its words; what stays as
    it is, is no change."""
    at = page(**HERE)
    assert not at.multiselect
    at.session_state["form_open_btc-trend"] = True
    at.run()
    at.multiselect(key="keys_btc-trend").set_value(["stop_atr", "entry"]).run()
    at.text_input(key="value_btc-trend_stop_atr").input("99").run()
    assert "99 is out of bounds" in texts_of(at)
    at.text_input(key="value_btc-trend_stop_atr").input("3").run()
    at = press(at, "form", "noise")
    assert fake.asked[-1][2]["changes"] == [{"key": "stop_atr", "value": 3.0}]
    assert "prop-1 is proposed:" in texts_of(at), "its card is a screen above the form"


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("3", 2.0, 3.0),
        ("\u22121", 2.0, None),
        ("nan", 2.0, None),
        ("inf", 2.0, None),
        ("2.5", 2, None),
        ("1e1", 2, 10),
        ("", 2, None),
    ],
)
def test_a_number_is_one_the_parameter_may_have(text: str, value: float, found: float | None) -> None:
    """Not a number, infinite, out of bounds, or a part where whole ones are counted: none."""
    assert param_field.number_in(text, {"low": 0, "high": 20}, whole=isinstance(value, int)) == found


def test_tightening_never_passes_a_lower_bound_nor_raises_anything() -> None:
    """Half of a value, its lower bound where half is less; at the bound it is left out; whole numbers stay whole."""
    floors = {"a": (0.004, 0.003), "b": (0.1, 0.1), "c": (3, 1), "d": (0.02, 0.0)}
    rows = {key: {"value": value, "low": low} for key, (value, low) in floors.items()}
    found = sleeve_settings.tighter(rows, ("a", "b", "d", "gone"), 0.5)
    assert found == [{"key": "a", "value": 0.003}, {"key": "d", "value": 0.01}]
    assert sleeve_settings.tighter(rows, ("c",), None) == [{"key": "c", "value": 1}]


def test_hostile_text_is_text_in_every_panel_of_a_sleeve(fake: Fake) -> None:
    """Strategy, parameter, version, reason and exit: no tag or attribute of theirs."""
    fake.evil = EVIL
    at = page(**HERE)
    bodies = [str(e.proto.body) for e in at.get("html") if not str(e.proto.body).lstrip().startswith("<style>")]
    found = [Tags(body) for body in bodies]
    assert set().union(*(t.found for t in found)) <= OURS
    assert set().union(*(t.given for t in found)) <= {"class", "title", "href"}
    assert "&lt;script&gt;window.pwned=1" in "".join(bodies)
    for kind in ("markdown", "caption"):
        assert all("<script" not in str(e.value) for e in at.get(kind))


def test_a_stop_that_does_not_work_has_no_distance() -> None:
    """What is wanted is not what guards the position: red, with the wanted price in the note."""
    level = {"price": 62_900.0, "away_frac": -0.0248, "kind": "stop", "uncovered": 1}
    shown = sleeve_view._level("To the stop", level)
    assert (shown["value"], shown["note"], shown["tone"]) == ("no order", "wanted at 62,900.0", "neg")
    assert sleeve_view._level("To the stop", level | {"price": None})["note"] == "none is known"
    assert sleeve_view._level("To the stop", level | {"uncovered": 0})["value"] == "\u22122.48\u202f%"


def test_a_page_is_drawn_again_at_once_when_a_position_was_opened_or_closed() -> None:
    """Else at most every so often; never while the desk has decided nothing new, or a page would draw itself without end."""
    flat, held = {"desk_ms": 2, "position": None}, {"desk_ms": 2, "position": {"side": "long"}}
    assert sleeve_view.outlived(held, 1, 0.0, drawn_open=False)
    assert sleeve_view.outlived(flat, 1, 0.0, drawn_open=True)
    assert not sleeve_view.outlived(held, 1, 0.0, drawn_open=True)
    assert sleeve_view.outlived(held, 1, sleeve_view.AGAIN_S + 1, drawn_open=True)
    assert not sleeve_view.outlived(held, 2, 1e9, drawn_open=False)


def test_a_change_on_trial_leads_to_its_card(fake: Fake) -> None:
    """How far it is, in its own words; loud once it is breached."""
    fake.sleeves[0] |= {"canary": "canary of prop-3: 50 % of the size; 5 of 200 bars; nothing breached"}
    text = texts_of(page(tab="sleeves", sleeve="btc-trend"))
    assert "◐ A change on trial:" in text
    assert "proposal=prop-3" in text
    fake.sleeves[0] |= {"canary": "canary of prop-3: BREACHED (drawdown); gone back"}
    assert '<div class="note wrn"><b>◐ A change on trial:' in texts_of(page(tab="sleeves", sleeve="btc-trend"))


def test_the_loudest_alert_of_a_sleeve_is_first(fake: Fake) -> None:
    """Notes, which ask for nothing, are counted below them."""
    fake.alerts = [
        alert(f"al-{n}", severity) | {"place": "btc-trend", "what": severity}
        for n, severity in enumerate(("note", "note", "warn", "page", "page"))  # the first page is in the strip above
    ]
    text = texts_of(page(tab="sleeves", sleeve="btc-trend"))
    places = [text.index(words) for words in ("■ page.", "▲ warn.", "2 notes on it:")]
    assert places == sorted(places)
    assert "note." not in text.partition("2 notes on it:")[0]
