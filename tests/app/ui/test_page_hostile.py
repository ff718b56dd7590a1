"""Hostile text in every place that shows what others wrote, in a real browser: it is seen as text and does nothing.

API and page over a home whose run, journal, proposal, thread, alert, handover and note hold such text, put there past the doors
that would refuse it. No script of it runs, no request leaves the machine, no element of it stands in the document.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people.approvals import record
from engine.core.state import DAY_MS
from engine.sim.backtest import backtest
from engine.store import db
from engine.store.chain import Event
from engine.store.runs import Runs
from engine.store.tables import Alert, Handover, Proposal, ProposalPart, Thread, Turn
from tests.app.ui.browsers import CHROMIUM, Place, answers, browser, started
from tests.fakes.papers import advanced, feed_of, furnished, loop_of
from tests.fakes.waiting import until

pytestmark = pytest.mark.long
EVIL = (
    "<script>window.pwned=1</script> ![x](http://evil.example/p.png) <img src=http://evil.example/i onerror=window.pwned=1>"
    " [a](javascript:window.pwned=1) [b](http://evil.example) $$\\href{http://evil.example}{x}$$ :material/home: :red[x]"
    " </textarea><iframe src=http://evil.example></iframe> www.evil.example"
)
SEEN = "window.pwned=1</script>"  # what a reader sees of it
ACTOR = {"name": EVIL, "assurance": "slack", "os_user": "root", "channel": "slack"}
# what a document may not hold: our page has no script of its own in its body, and no image but data
FOUND = """() => [window.pwned ? 'a script ran' : '',
  ...[...document.querySelectorAll('iframe, [onerror]')].map(e => e.outerHTML.slice(0, 200)),
  ...[...document.querySelectorAll('a[href], img[src], source[src]')].map(e => e.href || e.src)
    .filter(u => !u.startsWith(location.origin) && !/^(data|blob):/.test(u) && !/^http:..127.0.0.1:/.test(u)),
  ...[...document.querySelectorAll('[data-testid=stMarkdownContainer] script, [data-testid=stMarkdownContainer] img')]
    .map(e => e.outerHTML.slice(0, 200)),
  ...[...document.querySelectorAll('.katex')].map(e => 'a formula: ' + e.textContent.slice(0, 80))].filter(Boolean)"""


def run_of(home: Home, now_ms: int) -> str:
    """A real run, kept under hostile names with hostile notes and its real report page; its id."""
    done = backtest("trend", "BTC-USDT", venue="synthetic", catalog=home.catalog, funding="none")
    sleeve = done.report["sleeves"][0]
    report = {
        **done.report,
        "strategy": EVIL,
        "symbol": EVIL,
        "notes": [EVIL],
        "sleeves": [{**sleeve, "strategy": EVIL, "name": EVIL}],
    }
    return str(Runs(home.runs, home.engine).keep(report, done.frames(), done.page, now_ms)["run_id"])


def journal_of(home: Home, now_ms: int) -> str:
    """A venue's error and a name of Slack's in the journals; the id of the desk's event."""
    loop = advanced(loop_of(home, feed_of(home)), 40)
    lost = {"order": EVIL, "sleeve": "btc-trend", "state": "rejected", "reason": EVIL, "lots": 1, "filled_lots": 0}
    head = loop.journal.append([Event("order", loop.book.close_ms, lost)])[0]
    loop.journal.close()
    record(home, "reject", {"proposal": "prop-1", "actor": ACTOR, "reason": EVIL}, now_ms)
    record(home, "note", {"title": EVIL, "text": EVIL, "role": "operator"}, now_ms)
    return head.id


def rows_of(home: Home, run: str, now_ms: int) -> None:
    """A proposal, a thread with its answer, an alert and a handover."""
    change = {"key": EVIL, "old": EVIL, "value": EVIL, "low": 0, "high": 1, "unit": EVIL}
    case = {"risk_frac": 0.01, "gross_frac": 1.0, "leverage": 1.0}
    shown = {"before": case, "after": case, "keys": {EVIL: EVIL}, "why": EVIL}
    fact = {"ref": "a.b", "subject": EVIL, "metric": EVIL, "value": EVIL, "unit": "text", "evidence": {"kind": "run", "id": EVIL}}
    told = {
        "answer_md": f"{EVIL}\n\n| {EVIL} |\n|---|\n| {EVIL} |\n\n> {EVIL}\n\n- {EVIL}\n\n# {EVIL}\n\n`{EVIL}`\n\n    {EVIL}",
        "facts": [fact],
        "struck": [{"text": EVIL, "why": EVIL}],
        "tool_calls": [{"id": "c", "name": "backtest", "args": {"strategy": EVIL}, "status": EVIL}],
        "proposals": ["prop-1"],
        "jobs": [],
        "usage": {},
        "model": {"name": EVIL, "api_format": "chat", "offline": False},
    }
    words = {"what": EVIL, "place": EVIL, "action": EVIL, "runbook": EVIL, "numbers": json.dumps({EVIL: EVIL})}
    times = {"since_ms": now_ms, "opened_ms": now_ms, "seen_ms": now_ms}
    with db.write(home.engine) as session:
        session.add(
            Proposal(
                id="prop-1",
                kind="change",
                sleeve=EVIL,
                base_version=1,
                diff=json.dumps({"changes": [change]}),
                diff_sha256="ab" * 32,
                direction="loosens",
                exposure=json.dumps(shown),
                rationale=EVIL,
                evidence=json.dumps([{"role": EVIL, "run_id": run}]),
                requester=json.dumps({"role": EVIL, "person": EVIL}),
                created_ms=now_ms,
                expires_ms=now_ms + DAY_MS,
            )
        )
        session.flush()
        session.add(ProposalPart(proposal_id="prop-1", sleeve=EVIL, from_version=1, from_sha256=EVIL))
        session.add(Thread(id="t-evil", role="developer", person=EVIL, created_ms=now_ms))
        ended = {"state": "done", "created_ms": now_ms, "ended_ms": now_ms}
        session.add(Turn(id="u-evil", thread="t-evil", role="developer", text=EVIL, answer=json.dumps(told), model=EVIL, **ended))
        session.add(Alert(id="al-1", fingerprint="x", kind="rejected", severity="page", acked_by=None, **words, **times))
        mine = {"acked_by": json.dumps(ACTOR), "acked_ms": now_ms}
        session.add(Alert(id="al-2", fingerprint="y", kind="bars", severity="warn", **mine, **words, **times))
        session.add(Handover(day="2026-11-20", created_ms=now_ms, text=f"{EVIL}\n{EVIL}"))


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str, str]]:
    """(the home's API and page, the run's id, the event's id)."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    folder = furnished(tmp_path_factory.mktemp("evil") / "home", 45)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(folder))
        patch.delenv("NIGHTDESK_DATA", raising=False)
        home, now_ms = open_home(), time.time_ns() // 1_000_000
        event, run = journal_of(home, now_ms), run_of(home, now_ms)
        rows_of(home, run, now_ms)
    place = Place(Path(folder))
    with started(place, "api"), started(place, "ui"):
        until(place.listens, "API or page never listened")
        yield place, run, event


@pytest.fixture
def page(evil: tuple[Place, str, str], chromium: Any) -> Iterator[Any]:
    """A browser on it; asserts at the end that no request left the machine and no dialog was opened."""
    made, asked = browser(evil[0], chromium)
    opened: list[str] = []
    made.context.on("dialog", lambda d: (opened.append(d.message), d.dismiss()))
    yield made
    made.context.close()
    assert not asked, f"the page asked elsewhere: {asked}"
    assert not opened


VIEWS = {
    "chat": "?tab=chat&role=developer&thread=t-evil",
    "proposals": "?tab=proposals",
    "one proposal": "?tab=proposals&proposal=prop-1",
    "desk": "?tab=desk",
    "journal": "?tab=desk&view=journal",
    "event": "?tab=desk&view=journal&event={event}",
    "runs": "?tab=runs",
    "run": "?tab=runs&run={run}",
    "trip": "?tab=runs&run={run}&trip=t1",
    "alerts": "?tab=desk&view=alerts",
    "handover": "?tab=desk&view=handover",
}
QUIET = ("desk", "trip")  # views that show nothing of it but in the strip


@pytest.mark.parametrize("view", VIEWS)
def test_it_is_text_in_every_view(page: Any, evil: tuple[Place, str, str], view: str) -> None:
    """It is there to be read, and nothing of it is an element, a formula, a link or a request."""
    place, run, event = evil
    page.goto(place.page + VIEWS[view].format(run=run, event=event))
    page.locator(".st-key-head").wait_for()
    seen = SEEN if view == "alerts" else "PAGE:"  # the alert, hostile too: its line, or on its own view its card
    page.get_by_text(seen).first.wait_for()
    for shut in page.locator("details > summary").all():
        shut.click()
    page.get_by_text(SEEN).filter(visible=True).nth(0 if view in QUIET else 1).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(FOUND) == []


def test_the_people_journal_shows_a_name_of_slack_as_text(page: Any, evil: tuple[Place, str, str]) -> None:
    """Chosen by the filter: names and reasons of other people."""
    page.goto(evil[0].page + "?tab=desk&view=journal")
    page.get_by_label("Journal", exact=True).click()
    page.get_by_role("option", name="people and roles").click()
    page.get_by_text(SEEN).nth(1).wait_for()
    assert page.evaluate(FOUND) == []


def test_the_report_opened_from_the_page_is_shut_in(page: Any, evil: tuple[Place, str, str]) -> None:
    """One click: served under a sandbox policy; its own chart is drawn, nothing of the names runs or is fetched."""
    place, run, _ = evil
    page.goto(f"{place.page}?tab=runs&run={run}")
    answers_ = []
    page.context.on("response", lambda r: answers_.append(r) if r.url.endswith("/report") else None)
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Report").click()
    report = opened.value
    report.locator("svg.chart").first.wait_for()
    policy = answers_[0].headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy
    assert "default-src 'none'" in policy
    assert "allow-same-origin" not in policy
    assert report.get_by_text("window.pwned=1").count() > 0
    assert report.evaluate("() => !!window.pwned") is False
    assert report.evaluate("() => self.origin") == "null"  # no cookie, no storage, no API of ours
    assert answers(place.api)
