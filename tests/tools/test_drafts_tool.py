"""Tools about a strategy's code: a draft is a note, never a file; source is sent only by the tool that says so."""

from collections.abc import Callable

from app.people.drafts import BLOCK
from engine.strategies.new_file import TEMPLATE
from memory.shelf import INBOX, Shelf
from tools.catalog import call
from tools.common.contract import ToolContext

CODE = TEMPLATE.format(name="calm", title="Calm")


def test_the_tools_write_a_note_and_say_that_source_was_sent(make_ctx: Callable[..., ToolContext]) -> None:
    """No file comes of a draft; code is sent only by the tool that says so."""
    ctx = make_ctx("developer")
    result = call(ctx, "strategy_code", {"strategy": "trend"})
    assert result.text.startswith("The source of trend (shipped with Nightdesk, ")
    assert result.text.splitlines()[0].endswith("is shown here; no model was asked, nothing was sent.")
    ctx.model = "gpt-x"
    assert call(ctx, "strategy_code", {"strategy": "trend"}).text.splitlines()[0].endswith("was sent to gpt-x.")
    assert call(ctx, "strategy_code", {"strategy": "../../etc/passwd"}).status == "failed"
    made = call(ctx, "draft_strategy", {"name": "calm", "code": CODE, "why": "x"})
    assert made.status == "ok"
    page = Shelf(ctx.home / "memory").read(f"{INBOX}/{made.data['note']}")
    assert page is not None
    assert BLOCK.findall(page.text)[0].strip() == CODE.strip()
    assert not list((ctx.home / "strategies").glob("*.py"))
