"""A proposal's card is one list of rows: the command, the page and Slack show the same facts."""

import html
import re
from typing import Any

import pytest

from app.cli.card import card_text
from app.slack import blocks
from app.ui.figures import MONTHS
from app.ui.safe import JOIN
from engine.clock import utc
from tests.app.ui.fake_api import NOW_MS, Fake, with_rows
from tests.app.ui.looking import page, texts_of

COMPARISON = {"role": "comparison", "difference_frac": 1e-4, "low_frac": -2e-4, "high_frac": 4e-4, "level": 0.95, "days": 365}
DECIDED = {"state": "rejected", "decided_ms": 1_790_000_000_000, "state_reason": "not now", "journal_id": "p-9"}
NOW = {"version": 4, "outcome": "rolled back", "text": "applied as version 3, rolled back; version 4 runs now: stop_atr 2.5"}
ROLLED_BACK = DECIDED | {"state": "applied", "applied_version": 3, "runs_now": NOW}
TIME = re.compile(r"\b(\d{1,2}) ([A-Z][a-z]{2}) (\d{2}:\d{2}(?::\d{2})?Z)")
BEYOND = {"role": "beyond", "text": "includes 30 days the desk has not lived yet"}


def on_page(fake: Fake) -> str:
    """The open card's text without markup, and without the page's own minus and narrow space."""
    text = html.unescape(texts_of(page(tab="proposals", proposal="prop-2"))).replace("\\", "").replace(JOIN, "")
    text = TIME.sub(_stamp, text.replace("\u2212", "-").replace("\u202f%", " %"))
    return re.sub(r"\[([^\]]+)\]\(\?[^)]*\)", r"\1", text)


def _stamp(found: re.Match[str]) -> str:
    """A time of the page as the other two have it: the page leaves out the desk's year, which is this one."""
    return f"{utc(NOW_MS)[:4]}-{MONTHS.index(found[2]) + 1:02d}-{int(found[1]):02d} {found[3]}"


def in_slack(card: dict[str, Any]) -> str:
    """The message's text, without buttons."""
    _, made = blocks.card(card, "http://127.0.0.1:8421/")
    return "\n".join(block["text"]["text"] for block in made if "text" in block)


@pytest.mark.parametrize("change", [{}, DECIDED, ROLLED_BACK], ids=["pending", "decided", "rolled back"])
def test_the_three_paintings_show_the_same_labels_and_values(fake: Fake, change: dict[str, Any]) -> None:
    """Every label and every cell of the rows is in the command's text, on the page and in the Slack message."""
    by = {"name": "vera", "assurance": "claimed", "os_user": "vera", "channel": "page"} if change else None
    fake.proposals["prop-2"] |= {
        "evidence": [COMPARISON, BEYOND],
        "warnings": ["reward to risk is 1.33"],
        "decided_by": by,
        **change,
    }
    card = with_rows(fake.proposals["prop-2"]) | {"expires": "expires in 19 h 59 min"}
    paintings = {"command": card_text(card), "page": on_page(fake), "Slack": in_slack(card)}
    assert {row["kind"] for row in card["rows"]} >= {"direction", "diff", "worst", "evidence", "finding", "warning"}
    for where, text in paintings.items():
        missing = [part for row in card["rows"] for part in (row["label"], *row["cells"]) if part not in text]
        assert not missing, (where, missing, text)


def test_a_step_nearer_to_money_is_no_button(fake: Fake) -> None:
    """It takes a passphrase, which the page does not ask for: the command is shown, and rejecting stays."""
    fake.proposals["prop-2"] |= {"act": "promote"}
    at = page(tab="proposals", proposal="prop-2")
    keys = [str(button.key) for button in at.button]
    assert "yes_prop-2" not in keys
    assert "reject_prop-2" in keys
    assert "nightdesk proposals approve prop-2 --as vera" in texts_of(at)


def test_a_card_that_waits_for_the_second_person_says_who_was_first(fake: Fake) -> None:
    """Not folded away with the receipts."""
    fake.proposals["prop-2"] |= {"decided_by": {"name": "tom", "one_of_two": True}}
    assert "tom has approved it:</b> it waits for a second person." in texts_of(page(tab="proposals", proposal="prop-2"))


def test_on_a_phone_the_verdict_stands_above_the_button(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its columns stand below each other: nobody approves before they have read what the evidence says. It is said once."""
    monkeypatch.setattr("app.ui.parts.phone", lambda: True)
    text = texts_of(page(tab="proposals", proposal="prop-2"))
    assert text.count("verdict:</b>") == 1
    assert text.index("verdict:</b>") < text.index("direction:")


def test_a_slack_card_has_its_buttons_only_while_it_is_pending(fake: Fake) -> None:
    """Pending: reject, open, and approve for a tightening; decided: none."""
    tightening, loosening = (with_rows(fake.proposals[name]) for name in ("prop-1", "prop-2"))
    actions = [[e["action_id"] for e in blocks.card(c, "http://h/")[1][-1]["elements"]] for c in (tightening, loosening)]
    assert actions == [["approve", "reject", "open"], ["reject", "open"]]
    decided = with_rows(fake.proposals["prop-1"] | DECIDED)
    assert all(block["type"] != "actions" for block in blocks.card(decided, "http://h/")[1])


def test_a_card_stays_when_it_is_decided_while_it_is_shown(fake: Fake) -> None:
    """Approved here or elsewhere: the list keeps the card with its outcome and what runs now, until it is put away."""
    at = page(tab="proposals")
    at.button(key="yes_prop-1").click().run()
    assert "applied, version 2 by vera" in texts_of(at)
    fake.proposals["prop-2"]["state"] = "expired"
    at.run()
    assert "EXPIRED" in texts_of(at)
    assert {"away_prop-1", "away_prop-2"} <= {b.key for b in at.button}
    at.button(key="away_prop-1").click().run()
    assert "away_prop-1" not in [b.key for b in at.button]
    assert "away_prop-2" in [b.key for b in at.button]


def test_a_change_that_no_longer_runs_is_not_shown_as_adopted(fake: Fake) -> None:
    """Rolled back: said in the badge and on the card; no green `Adopted`, though the desk once adopted it."""
    adopted = {"active_version": 4, "desk_version": 4, "adopted": True, "waiting": [], "event": "d-4"}
    now = {"version": 4, "outcome": "rolled back", "text": "applied as version 3, rolled back; version 4 runs now: stop_atr 2.5"}
    fake.proposals["prop-1"] |= {"state": "applied", "applied_version": 3, "adoption": adopted, "runs_now": now}
    text = texts_of(page(tab="proposals", proposal="prop-1"))
    assert "Adopted" not in text
    assert "version 4 runs now" in text
    fake.proposals["prop-1"]["runs_now"] = now | {"outcome": "runs"}
    assert "Adopted" in texts_of(page(tab="proposals", proposal="prop-1"))
