"""The tools of one request to a model: the role's core, and the groups that it has opened, within a budget of tokens.

Called by agents/nodes.py. A group opened last is kept longest; the core is always there. The offline model is shown everything.
"""

from collections.abc import Sequence

from agents.formats.fit import schema_tokens
from agents.roster import Role
from agents.state import AnsweredCall, EarlierTurn
from tools.common.contract import Tool
from tools.groups import CORE, GROUPS, more_tools

SCHEMA_TOKENS_MAX = 2_500  # of all tools in one request
EARLIER = 2  # turns whose groups stay open


def offered(role: Role, earlier: Sequence[EarlierTurn], done: Sequence[AnsweredCall]) -> tuple[Tool, ...]:
    """What the model of `role` is shown after these turns and calls, in the role's order."""
    shown = {more_tools.name, *CORE[role.name]}
    for group in reversed(opened(earlier, done)):
        more = shown | set(GROUPS.get(group, ()))
        # of all together: each group's own estimate is rounded down, and the sum of those is too low
        if schema_tokens([tool for tool in role.tools if tool.name in more]) <= SCHEMA_TOKENS_MAX:
            shown = more
    return tuple(tool for tool in role.tools if tool.name in shown)


def opened(earlier: Sequence[EarlierTurn], done: Sequence[AnsweredCall]) -> list[str]:
    """The groups opened in the last turns and in this one, in order, each at its last place."""
    before = [call["args"].get("group") for turn in earlier[-EARLIER:] for call in turn.calls if call["name"] == more_tools.name]
    now = [entry.call.args.get("group") for entry in done if entry.call.name == more_tools.name and entry.result.status == "ok"]
    groups = [str(group) for group in (*before, *now)]
    return [group for n, group in enumerate(groups) if group not in groups[n + 1 :]]
