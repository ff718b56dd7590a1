"""An answer that code owes: awaited under the thread, and shown as code's when it is posted."""

from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import answer, turn
from tests.app.ui.looking import page, texts_of

OWED = {"id": "u-1-p1", "turn": "u-1", "tool": "backtest", "jobs": ["j-7"]}
AWAITED = "The answer is posted here when its job ends"


def test_an_owed_answer_is_awaited_under_the_thread(fake: Fake) -> None:
    """It stands below the turns that the answer will come by itself."""
    fake.turns["u-1"] = turn("u-1", "done", "Backtest slow", answer("A job is still running."))
    fake.turns["u-1-p1"] = {**turn("u-1-p1", "owed", "Posted by code"), "posts": OWED}
    assert AWAITED in texts_of(page(tab="chat", role="developer", thread="t-1"))


def test_a_posted_answer_is_nobodys_question(fake: Fake) -> None:
    """No question stands above it, its receipts and table do, and the last line says that no model was asked."""
    fake.turns["u-1"] = turn("u-1", "done", "Backtest slow", answer("A job is still running."))
    made = answer("**Posted by code** now that its job has ended.", model={"name": "code", "api_format": "none", "offline": True})
    fake.turns["u-1-p1"] = {**turn("u-1-p1", "done", "Posted by code: backtest", made), "posts": OWED}
    text = texts_of(page(tab="chat", role="developer", thread="t-1"))
    assert "**Posted by code** now that" in text
    assert "Posted by code: backtest" not in text
    assert "posted by code, no model" in text
    assert AWAITED not in text
