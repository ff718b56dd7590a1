"""A strategy's code for a model; a draft of one as a note (strategy_code, READ; draft_strategy, PROPOSE). Called by the catalog.

No tool writes a strategy file: a draft is text of an inbox note, which a person may adopt (app/people/drafts.py).
"""

import hashlib

from pydantic import Field

from engine.errors import BadInput
from engine.strategies.base import NAMES, OURS
from tools.common.contract import Args, Effect, Evidence, ToolContext, ToolResult, clean, tool
from tools.notes import leave

CODE_MAX = 20_000


class CodeArgs(Args):
    """The strategy whose file is read."""

    strategy: str = Field(max_length=60)


class DraftArgs(Args):
    """`name`: of the strategy, equal to NAME in `code`; `code`: one whole file; `why`: its hypothesis in a sentence."""

    name: str = Field(max_length=60)
    code: str = Field(min_length=1, max_length=CODE_MAX)
    why: str = Field(max_length=400)


@tool("strategy_code", Effect.READ)
def strategy_code(ctx: ToolContext, args: CodeArgs) -> ToolResult:
    """The source of a strategy, only when the person asks about its code. The person's source is sent to the model: say so."""
    from pathlib import Path

    from engine.strategies import base

    if not NAMES.fullmatch(args.strategy):
        raise BadInput(f"unknown strategy {clean(args.strategy, 60)!r}", "see list_strategies")
    own = args.strategy not in OURS
    folder = ctx.home / "strategies" if own else Path(base.__file__).parent
    try:
        code = (folder / f"{args.strategy}.py").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"unknown strategy {args.strategy!r}", "see list_strategies") from error
    digest = hashlib.sha256(code.encode()).hexdigest()[:12]
    where = "your own file" if own else "shipped with Nightdesk"
    about = f"{where}, {len(code.splitlines())} lines, sha256 {digest}"
    sent = f"was sent to {clean(ctx.model, 60)}" if ctx.model != "none" else "is shown here; no model was asked, nothing was sent"
    text = f"The source of {args.strategy} ({about}) {sent}."
    return ToolResult("ok", f"{text}\n\n```python\n{code[:CODE_MAX]}\n```", evidence=(Evidence("data", f"{args.strategy}.py"),))


@tool("draft_strategy", Effect.PROPOSE)
def draft_strategy(ctx: ToolContext, args: DraftArgs) -> ToolResult:
    """Leave a whole strategy file as a note; a person may adopt it after its checks. Must be the last call of a turn."""
    if not NAMES.fullmatch(args.name) or args.name in OURS:
        raise BadInput(f"{clean(args.name, 60)!r} cannot be a new strategy's name", "lower-case letters, digits and _")
    if "```" in args.code:
        raise BadInput("the code holds ```, which ends the block that a note keeps it in", "leave it out")
    text = f"Draft of the strategy {args.name}: {clean(args.why, 400)}\n\n```python\n{args.code.rstrip()}\n```"
    note = leave(ctx, f"draft {args.name}", text, [])
    say = f"Drafted as the note {note}; nothing trades it and no file was written. A person may read and adopt it: "
    return ToolResult("ok", f"{say}nightdesk strategies adopt {note} --as NAME", data={"note": note})
