"""Alerts and handovers on the page: what stands there is what Slack would say, and a person takes an alert by one click."""

import pytest

from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import NOW_MS, alert
from tests.app.ui.looking import page, texts_of


def bare(text: str) -> str:
    """Text as it is read: without escapes and joiners."""
    return text.replace("\\", "").replace("\u2060", "")


def test_an_alert_says_what_where_since_when_with_which_numbers_and_what_to_do(fake: Fake) -> None:
    """Times and fractions as people read them, the runbook's own text, the delivery that failed and why."""
    fake.alerts = [alert("al-7")]
    text = bare(texts_of(page(tab="desk", view="alerts")))
    for part in (
        "No bar for 3 minutes",
        "al-7 · bars · BTC-USDT perp (binance)",
        "since 21 Sep 14:13Z, ongoing · escalated 1 time",
        "age 3 min, desk time 21 Sep 14:13:20Z, drawdown 3.45\u202f%, equity 9,916.77",
        "look at the venue's status page",
        "Look at `nightdesk status`",
        "slack (opened): **NOT DELIVERED** after 8 tries: channel_not_found",
    ):
        assert part in text, (part, text)
    assert "level" not in text


def test_an_alert_that_went_nowhere_says_so(fake: Fake) -> None:
    """Without Slack it stands on the page, and the page says that it stands nowhere else."""
    fake.alerts = [alert("al-7") | {"deliveries": []}]
    assert "No message was sent" in texts_of(page(tab="desk", view="alerts"))


def test_a_page_is_the_first_thing_on_its_view(fake: Fake) -> None:
    """Above a watch that waits; among pages first the position that nothing guards. Notes are folded, failed checks first."""
    one = {"id": "w-1", "metric": "price", "subject": "x", "state": "asked", "value": 1.0, "desk_ms": NOW_MS, "passed": False}
    fake.watches = [one | {"text": "price of BTC below 80,000"}]
    fake.alerts = [
        alert("al-1", "note") | {"what": "a note"},
        alert("al-2"),
        alert("al-3") | {"kind": "protective", "what": "long 2 ETH WITHOUT a stop", "since_ms": NOW_MS - 60_000},
    ]
    fake.desk["checks"] += [{"name": "disk", "state": "bad", "text": "0.1 GB free", "event": ""}]
    at = page(tab="desk", view="alerts")
    text = bare(texts_of(at))
    places = [text.index(part) for part in ("long 2 ETH WITHOUT a stop", "No bar for 3 minutes")]
    assert places == sorted(places)
    boxes = [str(e.proto.body) for e in at.get("html")]
    first = [next(n for n, body in enumerate(boxes) if part in body) for part in ("al-3 ·", "al-2 ·", "al-1 ·", "Watched levels")]
    assert first == sorted(first)
    (notes,) = [e for e in at.expander if "1 note" in e.label]
    assert "a note" in notes.markdown[0].value
    checks = next(body for body in boxes if "beats" in body)
    assert checks.index("disk:") < checks.index("beats")


def test_messages_that_one_way_did_not_take_are_one_line_with_its_time(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which way, how many, since when, why and about what; nothing beside it says that no message was sent."""
    import tests.app.ui.fake_api as shapes

    lost = {"step": "page", "sink": "telegram", "state": "failed", "error": "403: bot was blocked", "created_ms": NOW_MS}
    rows = [lost | {"subject": f"al-{n}"} for n in range(5)] + [lost | {"subject": "al-9", "sink": "slack"}]
    items = [alert("al-7") | {"deliveries": []}, alert("al-8", "warn") | {"deliveries": []}]
    answer = {"items": items, "reason": None, "ways": [], "undelivered": rows}
    monkeypatch.setitem(shapes.ROUTES, ("GET", "/api/alerts"), lambda *_: answer)
    text = bare(texts_of(page(tab="desk", view="alerts")))
    assert "■ NOT DELIVERED to telegram: 5 messages since 21 Sep 14:13Z (wall clock).</b> 403: bot was blocked." in text
    assert "It was about: al-0, page; al-1, page; al-2, page and 2 more." in text
    assert "■ NOT DELIVERED to slack: 1 message since" in text
    assert "they are shown here" not in text


def test_a_person_takes_an_alert_under_their_name(fake: Fake) -> None:
    """One click asks the API once; then the name stands there and the button does not."""
    fake.alerts = [alert("al-7")]
    at = page(tab="desk", view="alerts")
    button = at.button(key="ack_al-7")
    assert button.label == "Acknowledge as vera"
    button.click().run()
    assert fake.asked == [("POST", "/api/alerts/al-7/ack", {})]
    assert "acknowledged by vera (claimed, page)" in bare(texts_of(at))
    assert "ack_al-7" not in [b.key for b in at.button]


def test_a_refused_acknowledgement_is_told_at_its_alert(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody was faster: the reason stands there, nothing is lost."""
    import tests.app.ui.fake_api as shapes

    over = (409, {"error": {"kind": "Refused", "what": "al-7 is already resolved", "hint": ""}})
    monkeypatch.setitem(shapes.ROUTES, ("POST", r"/api/alerts/([\w-]+)/ack"), lambda f, q, b, i: over)
    fake.alerts = [alert("al-7")]
    at = page(tab="desk", view="alerts")
    at.button(key="ack_al-7").click().run()
    assert "al-7 is already resolved" in bare(texts_of(at))


def test_recovery_is_shown(fake: Fake) -> None:
    """What is over says since when, wants nothing more and has no button."""
    fake.alerts = [alert("al-7") | {"state": "resolved", "resolved_ms": NOW_MS + 60_000}]
    at = page(tab="desk", view="alerts")
    text = bare(texts_of(at))
    assert "resolved 21 Sep 14:14:20Z" in text
    assert "To do" not in text
    assert "ack_al-7" not in [b.key for b in at.button]


def test_a_watch_that_waits_is_confirmed_by_one_click(fake: Fake) -> None:
    """Level and value stand there; the click asks the API once, in the session's name; one in force can only be removed."""
    one = {"metric": "price", "subject": "x", "state": "asked", "value": 87_608.2, "desk_ms": NOW_MS, "passed": False}
    fake.watches = [
        one | {"id": "w-1", "text": "price of BTC below 80,000"},
        one | {"id": "w-2", "text": "price of BTC above 50,000", "state": "active", "passed": True},
    ]
    at = page(tab="desk", view="alerts")
    text = bare(texts_of(at))
    for part in ("price of BTC below 80,000", "w-1 · now 87,608.2"):
        assert part in text, (part, text)
    assert {b.key for b in at.button} >= {"confirm_w-1", "remove_w-1", "remove_w-2"}
    assert "confirm_w-2" not in {b.key for b in at.button}
    at.button(key="confirm_w-1").click().run()
    assert fake.asked == [("POST", "/api/watches/w-1/confirm", {})]


def test_a_page_that_nobody_answered_stands_on_every_tab(fake: Fake) -> None:
    """Red with its words until somebody is on it; what waits is counted in the head."""
    fake.alerts = [alert("al-7"), alert("al-8", "warn")]
    for tab in ("chat", "proposals", "desk"):
        text = texts_of(page(tab=tab))
        assert "■ PAGE: No bar for 3 minutes" in text
        assert "▲ 4 wait<" in text
        assert 'href="?tab=desk&amp;view=alerts"' in text
    fake.alerts[0]["acked_by"] = {"name": "ann"}
    text = texts_of(page(tab="chat"))
    assert "PAGE:" not in text
    assert "▲ 3 wait<" in text
    assert "acknowledged by ann" in bare(texts_of(page(tab="desk", view="alerts")))


def test_the_morning_handover_stands_on_the_page(fake: Fake) -> None:
    """The newest whole, older ones by day; before the first, when it will be made."""
    assert "06:00 UTC" in bare(texts_of(page(tab="desk", view="handover")))
    fake.handovers = [
        {
            "day": f"2026-11-{d}",
            "created_ms": NOW_MS,
            "text": f"P&L of {d}: +3.00\nNo alert is open.",
            "body": {},
            "deliveries": [],
        }
        for d in (20, 19)
    ]
    at = page(tab="desk", view="handover")
    assert "P&L of 20: +3.00" in bare(texts_of(at))
    at.selectbox(key="handover_day").set_value("2026-11-19").run()
    assert "P&L of 19: +3.00" in bare(texts_of(at))


def test_a_handover_says_what_the_night_did_and_what_waits_now(fake: Fake) -> None:
    """Verdict, parts, sleeves; the newest has positions and limits of now beside it, an older one what waited then."""
    pnl = {"change": -12.89, "price": -8.76, "fees": -3.91, "funding": 0.0, "slippage": -0.22, "sleeves": {"btc-trend": -12.89}}
    body = {
        "day": "2025-12-31", "source": "recorded", "stamp": "PAPER", "desk_ms": NOW_MS, "pnl": pnl, "fills": 6, "rejected": 1,
        "refused": {"entries paused": 2}, "breakers": ["loss streak (btc-trend)"], "equity": 28_101.79, "version": 1,
        "positions": {"btc-trend": "long 0.016"}, "halt": {"halted": False},
        "proposals": [{"id": "prop-7", "direction": "loosens", "sleeve": "btc-trend"}],
        "alerts": [
            {"severity": "page", "what": "no protective order", "acked": False}, {"severity": "warn", "what": "w", "acked": True}
        ],
    }  # fmt: skip
    kept = {"created_ms": NOW_MS, "text": "the line that was sent", "deliveries": []}
    fake.handovers = [{"day": f"2026-11-{d}", "body": body, **kept} for d in (20, 19)]
    at = page(tab="desk", view="handover")
    text = texts_of(at)
    first = "The desk lost 12.89 USDT that day, 1 breaker tripped.</b> 2 proposals and alerts waited for a person."
    for said in (first, "\u22128.76", "2 entries refused", "2 by entries paused", "long 0.016", "the line that was sent"):
        assert said in text, said
    assert text.index(first) < text.index("By sleeve") < text.index("Open positions")
    assert "Needs you" in text
    assert "prop-7" not in text
    at.selectbox(key="handover_day").set_value("2026-11-19").run()
    older = texts_of(at)
    assert 'href="?tab=proposals&amp;proposal=prop-7"' in older
    assert older.index("Waited that morning") < older.index("no protective order")
    assert "Open positions" not in older
    fake.handovers[0]["body"] = body | {"halt": {"halted": True, "by": "ann", "reason": "exchange down"}}
    assert "■ The desk was HALTED by ann:</b> exchange down." in texts_of(page(tab="desk", view="handover"))


def test_what_nobody_has_taken_stands_first_and_pages_before_notes(fake: Fake) -> None:
    """Not the newest: a note of this minute asks for nothing, and is folded below what somebody has."""
    more = {"note": NOW_MS + 3, "warn": NOW_MS + 2, "page": NOW_MS + 1}
    by = {"name": "ana", "assurance": "session", "channel": "page"}
    fake.alerts = [alert(f"al-{n}") | {"severity": s, "since_ms": ms} for n, (s, ms) in enumerate(more.items(), 1)]
    fake.alerts.insert(0, alert("al-9") | {"severity": "page", "acked_by": by, "acked_ms": NOW_MS})
    text = bare(texts_of(page(tab="desk", view="alerts")))
    places = [text.index(f"{ident} · bars") for ident in ("al-3", "al-2", "al-9", "al-1")]
    assert places == sorted(places)


def test_a_watch_that_waits_for_a_person_stands_above_the_alerts(fake: Fake) -> None:
    """Unless one of them pages; one that is in force is below them."""
    fake.alerts = [alert("al-7", "warn")]
    watch = {"id": "w-1", "state": "asked", "metric": "price", "text": "price of okx:BTC-USDT:perp below 9", "value": 10.0}
    fake.watches = [watch | {"desk_ms": NOW_MS}]
    assert _first_heads(fake)[:2] == ["Watched levels", "Alerts"]
    fake.watches[0] |= {"state": "active"}
    assert _first_heads(fake)[:2] == ["Alerts", "Watched levels"]
    assert "price of BTC-USDT perp (okx) below 9" in bare(texts_of(page(tab="desk", view="alerts"))).replace("\\", "")


def _first_heads(fake: Fake) -> list[str]:
    """The heads of the view's panels, in order."""
    drawn = [str(e.proto.body) for e in page(tab="desk", view="alerts").get("html")]
    found = [body.split('"t">')[1].split(" <small>")[0] for body in drawn if body.startswith("<h2")]
    return [name for name in found if name in ("Watched levels", "Alerts")]


def test_an_audits_alert_says_how_much_fails_and_leads_to_the_points(fake: Fake) -> None:
    """The points' short names mean nothing at night."""
    what = "The audit's points that began to fail: backtest.net of btc-trend and 6 more"
    fake.alerts = [alert("al-7") | {"kind": "audit", "what": what, "numbers": {"fails": 7, "cannot_say": 9}}]
    at = page(tab="desk", view="alerts")
    assert "Audit: 7 points fail, 9 cannot be said." in bare(texts_of(at))
    at.button(key="points_al-7").click().run()
    assert at.query_params["tab"] in ("runs", ["runs"])


def test_before_the_first_handover_its_page_shows_what_is_so_now(fake: Fake) -> None:
    """Who takes over needs it most on the first evening."""
    text = texts_of(page(tab="desk", view="handover"))
    for words in ("No handover yet", "06:00 UTC", "Needs you", "Open positions"):
        assert words in text, words


def test_what_holds_of_every_alert_is_said_once(fake: Fake) -> None:
    """Five cards with the same sentence push the fifth off a phone; with one delivery among them each says its own."""
    fake.alerts = [alert(f"al-{n}", "warn") | {"deliveries": []} for n in (1, 2, 3)]
    text = bare(texts_of(page(tab="desk", view="alerts")))
    assert text.count("No message was sent") == 1
    assert "▲ WARNING" in text
    fake.alerts[0] |= {"deliveries": alert("al-1")["deliveries"]}
    assert bare(texts_of(page(tab="desk", view="alerts"))).count("No message was sent") == 2


def test_the_handover_says_what_fell_silent_and_how_old_the_backup_is(fake: Fake) -> None:
    """Who takes over reads the monitor's newest note there; where nothing was looked at, that is said."""
    text = bare(texts_of(page(tab="desk", view="handover")))
    assert "Nothing fell silent</b> of what can be judged, no look yet." in text
    assert "No backup of this home is known." in text
    silent = {"state": "silent", "kind": "exit", "place": "btc", "name": "trail", "text": "btc: trail: 0 in 40", "why": ""}
    counts = {"silent": 5, "cannot_tell": 0, "as_expected": 0}
    fake.silences |= {"wall_ms": NOW_MS, "items": [silent] * 5, "counts": counts}
    fake.monitor["items"] = [{"turn": "u-1", "at_ms": NOW_MS, "text": "ETH pauses.", "model": "gpt", "left_out": 0, "tokens": 1}]
    text = bare(texts_of(page(tab="desk", view="handover")))
    assert text.count("btc, trail:</b> 0 in 40.") == 3
    assert "and 2 more" in text
    assert "ETH pauses. (gpt)" in text
    assert "Nothing fell silent" not in text
