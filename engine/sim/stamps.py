"""The stamps of a run that is no evidence: what every output says of it before its figures.

Called by whatever shows a run: command line, report, explanations, tools, proposals. It loads nothing: reading a stored
run's JSON must stay cheap.
"""

from collections.abc import Mapping
from typing import Any


def delayed(bars: int) -> dict[str, Any] | None:
    """What a run's report keeps of its delay; None of a run without one."""
    if not bars:
        return None
    many = f"{bars:,} bar{'' if bars == 1 else 's'}"
    return {"bars": bars, "name": f", {many} late", "text": f"DELAYED: every signal acts {many} late, never evidence"}


def stamps(run: Mapping[str, Any]) -> list[str]:
    """What every output of a run that is no evidence says before its figures: wide limits, late signals."""
    return [str(run[name]["text"]) for name in ("raw_signal", "delayed") if run.get(name)]
