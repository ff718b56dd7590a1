"""Head, lines of what is wrong, addresses and formats, without a page: what each says of which desk."""

from typing import Any

import pytest

from app.ui import figures, head, links, parts, strips
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import NOW_MS, alert, desk, sleeve
from tests.app.ui.looking import page, texts_of

SLEEVES = [sleeve("btc-trend", with_position=True), sleeve("eth-trend")]
QUARTER_MS = 900_000


def lines(status: dict[str, Any], alerts: list[dict[str, Any]] | None = None) -> list[tuple[str, str, str]]:
    """(kind, strong, command) of what is wrong."""
    return [(s.kind, s.strong, s.command) for s in strips.found(status, alerts or [], SLEEVES)]


def test_a_healthy_desk_says_nothing() -> None:
    """No line at all; the head has no colour but of what is not live."""
    status = desk() | {"stamp": "PAPER"}
    assert lines(status) == []
    looks = {badge.look for badge in head.badges(status | {"pending": 0}, [], "UTC")}
    assert looks == {"", "desk-time"}


def test_ended_bars_say_when_what_stays_open_and_the_next_step() -> None:
    """Amber, with the desk's time; also the sign in the head changes."""
    status = desk()
    status["worker"] |= {"phase": "waiting", "note": "End of the recorded bars"}
    status |= {"now_ms": NOW_MS + 90 * 86_400_000}
    (line,) = strips.found(status, [], SLEEVES)
    pulls = [f"nightdesk data pull --venue binance --symbol {s['symbol']} --timeframe 15m" for s in SLEEVES]
    assert (line.kind, line.command) == ("warn", " && ".join(dict.fromkeys(pulls))), "the desk waits for bars of each"
    assert line.strong == "The recorded bars end at 21 Sep 14:13:20Z: nothing trades."
    assert line.rest.startswith("1 position stays open, its protective orders stand.")
    assert any(badge.text == "◐ worker" and badge.look == "wrn" for badge in head.badges(status, [], ""))
    status["halt"]["halted"] = True
    (line,) = strips.found(status, [], SLEEVES)
    assert line.rest.startswith("1 position stays open, its exit orders wait for the next bar."), "a halt leaves no stop behind"


def test_pulled_bars_that_are_late_say_how_old_the_figures_are_and_why() -> None:
    """The worker's own reason for not walking on stands in the line."""
    status = desk() | {"now_ms": NOW_MS + 94 * 60_000, "source": "pulled"}
    status["worker"] |= {
        "phase": "waiting",
        "note": "End of the pulled bars: waiting for more. New bars are there, but: no funding",
    }
    (line,) = strips.found(status, [], SLEEVES)
    assert line.strong == "Figures are of 21 Sep 14:13:20Z, 1 h 34 min old: the worker waits for newer pulled bars."
    assert line.rest.endswith("New bars are there, but: no funding. Next:")


@pytest.mark.parametrize(("bars", "wrong"), [(1, 0), (3, 0), (4, 1)])
def test_a_worker_on_current_bars_waits_quietly_for_the_next(bars: int, wrong: int) -> None:
    """Three bars of the fastest sleeve may pass before a line appears."""
    status = desk() | {"now_ms": NOW_MS + bars * QUARTER_MS}
    status["worker"] |= {"phase": "waiting"}
    assert len(lines(status)) == wrong


def test_a_worker_that_is_gone_or_silent_is_red() -> None:
    """Gone: since its last heartbeat, and how to start it. Hanging, or by another clock: the check's own words."""
    status = desk()
    status["checks"] = [{"name": "worker", "state": "bad", "text": "the worker (process 7) hangs", "event": ""}]
    assert lines(status) == [("bad", "The worker is silent.", "nightdesk doctor")]
    status["checks"][0] |= {"state": "warning", "text": "its clock is 3600 s behind this one"}
    assert lines(status) == [("warn", "Two clocks are apart.", "")]
    status["worker"] |= {"running": False, "phase": "not running"}
    assert lines(status) == [("bad", "No worker runs since 14:13:20Z (wall clock): nothing trades.", "nightdesk up")]


def test_a_silent_worker_is_seen_in_the_head_and_says_what_is_open() -> None:
    """Also from the middle of a phone's page; a page that names it, and what to do, is not said again."""
    status = desk()
    assert not any(badge.look == "neg" for badge in head.badges(status, [], ""))
    status["checks"] = [{"name": "worker", "state": "bad", "text": "the worker (process 7) hangs", "event": ""}]
    assert ("■ worker", "neg") in [(badge.text, badge.look) for badge in head.badges(status, [], "")]
    assert head._idle(status), "so that the sleeves are asked for"
    (line,) = strips.found(status, [], SLEEVES)
    assert line.rest.startswith("the worker (process 7) hangs. 1 position stays open, nobody moves its protective orders.")
    paged = alert("al-1") | {"kind": "worker", "severity": "page", "acked_by": None}
    _, line = strips.found(status, [paged], SLEEVES)
    assert (line.rest.startswith("1 position stays open"), line.command) == (True, "")


def test_that_no_worker_runs_comes_before_a_page_of_before() -> None:
    """Once it is gone nobody looks, and the last page may say that it is being restarted and that nothing is open."""
    status = desk()
    paged = alert("al-1") | {"kind": "worker", "what": "The worker exited and is being restarted; no open position"}
    assert strips.found(status, [paged], SLEEVES)[0].strong.startswith("PAGE")
    status["worker"] |= {"running": False, "phase": "not running"}
    assert [strip.strong.split()[0] for strip in strips.found(status, [paged], SLEEVES)] == ["No", "PAGE:"]


def test_a_failed_check_is_said_once_and_a_pause_by_rule_is_no_fault() -> None:
    """What banner, desk view or a line of its own says is not said again."""
    found = [("disk", "warning"), ("protective orders", "bad"), ("sleeves", "warning"), ("halt", "bad"), ("bars", "ok")]
    status = desk() | {"checks": [{"name": n, "state": s, "text": f"{n} text", "event": "d-4"} for n, s in found]}
    assert [(kind, strong) for kind, strong, _ in lines(status)] == [
        ("warn", "Check failed: disk."),
        ("bad", "Check failed: protective orders."),
    ]


NAKED = {"kind": "protective", "what": "long 2.1 ETH WITHOUT a working protective order", "since_ms": NOW_MS - 9}


def test_the_position_that_nothing_guards_is_the_first_line_with_what_to_do() -> None:
    """Before newer pages and failed checks; a check that says the same as a page that nobody took is left out."""
    failed = [{"name": n, "state": "bad", "text": n, "event": ""} for n in ("bars", "protective orders", "disk")]
    status = desk() | {"checks": failed}
    pages = [alert("al-1") | {"since_ms": NOW_MS}, alert("al-2") | NAKED | {"action": "place a stop at 2594.2 by hand, or halt"}]
    first, *others = strips.found(status, pages, SLEEVES)
    assert first.strong == "PAGE: long 2.1 ETH WITHOUT a working protective order."
    assert first.rest.endswith("and 1 more. To do: place a stop at 2594.2 by hand, or halt.")
    assert [strip.strong for strip in others] == ["Check failed: disk."]
    taken = [page | {"acked_by": {"name": "ann"}} for page in pages]
    assert len(strips.found(status, taken, SLEEVES)) == len(failed), "a page that somebody took is still true"


def test_stops_are_not_said_to_be_there_where_one_is_missing() -> None:
    """The sleeve is named instead, whether the worker waits or is gone."""
    bare = sleeve("eth-trend", with_position=True)
    bare["position"]["layers"][0] |= {"protective_state": "rejected", "covered": False}
    status = desk() | {"now_ms": NOW_MS + 90 * 86_400_000}
    others = "the other's protective orders stand", "nobody moves the other's protective orders"
    for worker, rest in zip(({"phase": "waiting"}, {"running": False}), others, strict=True):
        (line,) = strips.found(status | {"worker": status["worker"] | worker}, [], [SLEEVES[0], bare])
        assert line.rest.startswith(f"2 positions stay open: eth-trend WITHOUT a working protective order, {rest}.")
        (line,) = strips.found(status | {"worker": status["worker"] | worker}, [], [bare])
        assert line.rest.startswith("1 position stays open: eth-trend WITHOUT a working protective order.")


def test_the_alerts_view_has_no_link_to_itself(fake: Fake) -> None:
    """The page's card is there with its runbook; on every other view the line leads to it."""
    fake.alerts = [alert("al-7")]
    assert "PAGE: No bar" in texts_of(page(tab="desk"))
    text = texts_of(page(tab="desk", view="alerts"))
    assert "PAGE: No bar" not in text
    assert "what to do</a>" not in text


def test_a_silent_api_says_since_when_and_of_when_the_figures_are() -> None:
    """Wall clock for the silence, desk time for the figures."""
    line = strips.silent(NOW_MS, NOW_MS - 60_000)
    assert "since 14:13:20Z (wall clock)" in line.strong
    assert "Figures shown are of desk time 2026-09-21 14:12:20Z." in line.rest
    assert line.rest.endswith("HALT above works without the API. In a terminal:")
    assert line.command == "nightdesk status", "which asks no API"


def test_a_halt_is_said_once() -> None:
    """By the banner: its own alert is no second line, another page is."""
    status = desk()
    pages = [alert("al-1") | {"kind": "halt", "what": "HALTED by vera"}, alert("al-2")]
    assert [strip.strong for strip in strips.found(status, pages, SLEEVES)] == ["PAGE: HALTED by vera."]
    status["halt"]["halted"] = True
    assert [strip.strong for strip in strips.found(status, pages, SLEEVES)] == [f"PAGE: {pages[1]['what']}."]


def test_pages_are_counted_and_what_waits_too() -> None:
    """The first page's words, the number of others; proposals and alerts that nobody took wait."""
    found = [
        alert("al-1"),
        alert("al-2"),
        alert("al-3", "warn"),
        alert("al-4") | {"acked_by": {"name": "ann"}},
        alert("al-5", "note"),
    ]
    (page,) = strips.found(desk(), found, SLEEVES)
    assert page.strong.startswith("PAGE: No bar for 3 minutes")
    assert "and 1 more. To do: look at the venue's status page, then nightdesk doctor." in page.rest
    assert [badge.text for badge in head.badges(desk(), found, "") if badge.where] == ["▲ 5 wait"]


@pytest.mark.parametrize(
    ("zone", "here"),
    [("Europe/Berlin", "16:13 Berlin"), ("UTC", ""), ("", ""), ("../../etc/passwd", ""), ("No/Where", ""), ("x" * 99, "")],
)
def test_the_same_instant_on_the_clock_of_the_browser(zone: str, here: str) -> None:
    """The zone's place beside the time; a zone the browser made up is none."""
    assert figures.local(NOW_MS, zone) == here


def test_another_day_on_that_clock_is_named() -> None:
    """23:30 UTC is tomorrow in Tokyo."""
    assert figures.local(1_767_223_800_000, "Asia/Tokyo") == "1 Jan 08:30 Tokyo"


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (figures.number(-1234.5), "\u22121,234.50"),
        (figures.number(0.004, sign=True), "0.00"),
        (figures.number(-0.004), "0.00"),
        (figures.number(3, sign=True), "+3.00"),
        (figures.number(None), "–"),
        (figures.number(True), "–"),
        (figures.percent(0.0345), "3.45\u202f%"),
        (figures.in_r(0.08), "+0.08\u202fR"),
        (figures.price(87_413.44), "87,413.4"),
        (figures.price(61_077.25), "61,077.3"),  # as a browser's tables have it
        (figures.number(float("inf")), "inf"),
        (figures.price(0.012345), "0.0123450"),
        (figures.price(0.0000123456), "0.0000123456"),
        (figures.price(0), "0.00000"),
        (figures.short(NOW_MS, NOW_MS), "21 Sep 14:13:20Z"),
        (figures.short(1_767_223_800_000, NOW_MS), "31 Dec 2025 23:30Z"),
    ],
)
def test_figures_as_people_read_them(shown: str, wanted: str) -> None:
    """A real minus, a sign on results alone and none on zero, a dash for unknown, the year only where it differs."""
    assert shown == wanted


def test_a_number_keeps_its_unit_through_the_escaping() -> None:
    """The narrow space is no line end; other blanks become one."""
    assert parts.text("3.45\u202f%\n of\t15") == "3.45\u202f% of 15"


def test_a_link_leads_to_a_page_of_ours_or_is_text() -> None:
    """Only parameters an address may have; what is no tab of ours is not clickable."""
    assert parts.link(parts.Linked("a&b", {"tab": "sleeves", "sleeve": "x"})) == '<a href="?tab=sleeves&amp;sleeve=x">a&amp;b</a>'
    assert parts.link(parts.Linked("a", {"tab": "nowhere"})) == "a"
    assert "evil" not in parts.link(parts.Linked("a", {"tab": "desk", "evil": "1"}))


def test_a_followed_link_keeps_role_and_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the address does not name stays; what is none of ours does not get in."""

    class Address(dict[str, str]):
        def from_dict(self, to: dict[str, str]) -> None:
            self.clear()
            self.update(to)

    address = Address(tab="chat", role="advisor", thread="t-1")
    monkeypatch.setattr(links.st, "query_params", address)
    links.follow("?tab=runs&run=r-1&trip=t3&evil=1&sleeve=a b")
    assert address == {"tab": "runs", "role": "advisor", "thread": "t-1", "run": "r-1", "trip": "t3"}
    for nowhere in ("?tab=nowhere", "https://evil.example/?tab=desk", "", "?run=r-2"):
        links.follow(nowhere)
    assert address["run"] == "r-1"


@pytest.mark.parametrize(
    ("mode", "look", "words"), [("paper", "", "No real order"), ("testnet", "wrn", "play money"), ("live", "neg", "Real money")]
)
def test_the_first_word_says_what_is_traded(mode: str, look: str, words: str) -> None:
    """In capitals, with a colour unless nothing leaves the desk."""
    badge = head._mode(desk() | {"mode": mode})
    assert (badge.text, badge.look) == (mode.upper(), look)
    assert words in badge.about


def test_an_instrument_in_a_strip_reads_as_people_name_it(fake: Fake) -> None:
    """Whatever text an alert brings."""
    fake.alerts = [alert("al-7")]
    text = texts_of(page(tab="runs"))
    assert "PAGE: No bar for 3 minutes; long 0.1 in BTC-USDT perp (binance) (btc-trend)." in text
    assert "binance:BTC-USDT:perp" not in text
