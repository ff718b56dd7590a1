"""Reports of weeks and months kept under the home: `reports/month-2026-05.md`, `.html` and `.json`.

Called by `nightdesk report`, and by app/jobs/daily_parity.py after the morning's comparison for periods that have ended since. A
kept report of a whole period is not made again: what was read stays as it was read.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, get_args

from app.home.home import Home
from app.home.written import write_whole
from engine.errors import BadInput
from engine.watch.desk_report import ReportUnit, make_report, whole_periods
from engine.watch.desk_report_pages import html, markdown
from memory.report_words import report_words
from memory.shelf import Shelf

FOLDER = "reports"
CAUGHT_UP = 4  # periods of a unit that are made after the fact


def made(home: Home, unit: ReportUnit, now_ms: int, of: str = "") -> dict[str, Any]:
    """A report with the words of the memory in it. BadInput as make_report raises it."""
    words = partial(report_words, Shelf(home.path / "memory"), now_ms=now_ms)
    return make_report(home.path, home.engine, unit, now_ms, of, words)


def keep(home: Home, body: Mapping[str, Any]) -> dict[str, Path]:
    """Write a report's three files; the path of each by its ending."""
    stem = f"{body['unit']}-{body['name'].removeprefix('week of ')}{'' if body['whole'] else '-partial'}"
    texts = {"json": json.dumps(body, indent=1, sort_keys=True, allow_nan=False), "md": markdown(body), "html": html(body)}
    paths = {ending: home.path / FOLDER / f"{stem}.{ending}" for ending in texts}
    (home.path / FOLDER).mkdir(exist_ok=True)
    for ending, text in texts.items():
        write_whole(paths[ending], text)
    return paths


def keep_due(home: Home, now_ms: int) -> list[Path]:
    """Make the newest whole weeks and months that are not kept yet, CAUGHT_UP of each; the pages that were written.

    A desk whose supervisor was away over the end of a period has its report all the same.
    """
    written = []
    for unit in get_args(ReportUnit):
        for name, day in whole_periods(home.path, unit, CAUGHT_UP):
            if (home.path / FOLDER / f"{unit}-{name}.html").exists():
                continue
            with suppress(BadInput):  # no bar was decided in it
                written.append(keep(home, made(home, unit, now_ms, day))["html"])
    return written
