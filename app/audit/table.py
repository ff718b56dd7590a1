"""The audit's points, all of them, and the page that lists them. Read by audit.py, `nightdesk audit --points` and the tests."""

from app.audit import backtest, data, live, training
from app.audit.point import AuditPoint

POINTS: tuple[AuditPoint, ...] = (*data.POINTS, *training.POINTS, *backtest.POINTS, *live.POINTS)
BY_NAME = {point.name: point for point in POINTS}
DIMENSIONS = ("data", "training", "backtest", "live")
HEAD = """# The audit of a live sleeve

`nightdesk audit` asks {count} questions of each sleeve in four dimensions. An answer is `holds`, `fails`, `cannot say` or `does
not apply`, with why and where it can be seen. `cannot say` is not a pass: it says what is to be run, and the exit code is 1 as it
is for a failure. The supervisor asks them once a week; one alert names what began to fail since the time before.

Each query calls what the desk has already (the data check, the trainer's gates, the health checks, the daily comparison with the
backtest, the last drill): it judges nothing a second time. Every point has a planted defect in `tests/app/audit/defects.py` that
turns it, and it alone but for the points beside it, from `holds` to something else. This page is printed by
`nightdesk audit --points` and compared with it by a test.
"""


def page() -> str:
    """docs/audit.md."""
    parts = [HEAD.format(count=len(POINTS))]
    for dimension in DIMENSIONS:
        mine = [point for point in POINTS if point.dimension == dimension]
        rows = [f"| `{p.name}` | {p.question} | {_names(p.implies)} |" for p in mine]
        parts.append(
            "\n".join(
                [f"## {dimension.capitalize()} ({len(mine)})\n", "| point | question | takes along |", "|---|---|---|", *rows, ""]
            )
        )
    return "\n".join(parts)


def _names(names: tuple[str, ...]) -> str:
    """Points that cannot hold either, shortened where they are many."""
    return ", ".join(f"`{name}`" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
