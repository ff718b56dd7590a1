"""Reports of weeks and months kept under the home: `reports/month-2026-05.md`, `.html` and `.json`.

Called by `nightdesk report`, and by app/jobs/daily_parity.py after the morning's comparison for periods that have ended since. A
kept report of a whole period is not made again: what was read stays as it was read.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

from app.home.home import Home
from app.home.written import write_whole
from engine.errors import BadInput
from engine.watch.desk_report import ReportUnit, make_report
from engine.watch.desk_report_pages import html, markdown
from memory.report_words import report_words
from memory.shelf import Shelf

FOLDER = "reports"


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
    """Make the newest whole week and month that are not kept yet; the pages that were written."""
    written = []
    for unit in get_args(ReportUnit):
        try:
            body = made(home, unit, now_ms)
        except BadInput:  # no bar yet
            continue
        name = f"{unit}-{body['name'].removeprefix('week of ')}.html"
        if body["whole"] and not (home.path / FOLDER / name).exists():
            written.append(keep(home, body)["html"])
    return written
