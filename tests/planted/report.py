"""The table of planted bugs as text for docs/reliability.md: what was planted, what it breaks, what saw it, as it was run."""

from collections.abc import Sequence

from tests.planted.runs import Verdict
from tests.planted.table import StormRun

HEAD = "| planted | breaks | seen by | twin disabled | alone | without it |\n| --- | --- | --- | --- | --- | --- |"


def line(verdict: Verdict) -> str:
    """One bug."""
    bug = verdict.bug
    seen = [by for by, red in zip(bug.caught_by, verdict.caught, strict=True) if red] or ["**nothing**"]
    names = "; ".join(str(by) if isinstance(by, StormRun) else by.rpartition("/")[2].replace(".py::", ": ") for by in seen)
    twin = f"caught ({bug.twin.__name__})" if bug.twin and any(verdict.caught) else "-"
    alone = any(verdict.caught) if verdict.alone is None else verdict.alone
    words = "caught" if alone else "covered by its twin" if bug.twin else "**not caught**"
    return f"| {bug.name} | {bug.breaks} | {names} | {twin} | {words} | {'green' if all(verdict.clean) else '**red**'} |"


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many, and what it took."""
    caught = {verdict.bug.name for verdict in verdicts if any(verdict.caught) and all(verdict.clean)}
    names = {verdict.bug.name for verdict in verdicts}
    missed = f"; not caught: {', '.join(sorted(names - caught))}" if names - caught else ""
    wrong = [verdict.bug.name for verdict in verdicts if any(verdict.caught) and not verdict.ok]
    more = f"; not as the table says: {', '.join(wrong)}" if wrong else ""
    return (
        f"{len(caught)} of {len(names)} planted bugs are caught, {sum(v.cpu_s for v in verdicts):.0f} CPU seconds{missed}{more}"
    )
