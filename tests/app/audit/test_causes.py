"""Defects planted where they come from - desk.toml, files, database, journal - and what of the audit turns then."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.audit.audit import audit
from app.audit.live import EXITS, FEE_RULES, INSTRUMENT, OWN_LIMITS, SIZES
from app.audit.sleeve import AuditedSleeve
from app.home.home import Home, open_home
from app.people.approvals import record
from engine.control import halt
from engine.control.config import active
from engine.watch.drift_status import keep_drift
from engine.watch.outside_status import FILE as OUTSIDE
from tests.app.audit.defects import in_journal
from tests.fakes.audited_homes import MODEL, SLEEVE, SOL, STEADY, healthy
from tests.fakes.papers import WALL_MS

Cause = Callable[[Home, pytest.MonkeyPatch], object]
DRILLED = {f"live.drilled_{kind}s" for kind in ("refusal", "breaker", "exit", "halt", "pause")}
GUARDS = DRILLED | {"live.exits_fire", "live.refusals_fire"}  # of other limits than those of now nothing can be said


@pytest.fixture
def home_path(own_home: Path) -> Path:
    """A copy of the healthy home, of the test's own."""
    shutil.copytree(healthy(), own_home, dirs_exist_ok=True)
    return own_home


def toml(old: str, new: str) -> Cause:
    """desk.toml edited, the worker not restarted."""

    def plant(home: Home, _: pytest.MonkeyPatch) -> None:
        text = home.settings.desk_toml.read_text()
        assert old in text
        home.settings.desk_toml.write_text(text.replace(old, new, 1))

    return plant


def of_instrument(line: str) -> Cause:
    """Another figure of the instrument in desk.toml."""
    return toml("[[sleeves]]", f'[instruments."{SOL}"]\n{line}\n\n[[sleeves]]')


def edited_people(home: Home, _: pytest.MonkeyPatch) -> None:
    """A decision of the past, changed on disk."""
    for n in range(2):
        record(home, "note", {"said": f"no-{n}"}, WALL_MS)
    home.people_journal.write_text(home.people_journal.read_text().replace("no-0", "ok-0"))


def unread_outside(home: Home, _: pytest.MonkeyPatch) -> None:
    """desk.toml names a series, and the record of what was asked is damaged."""
    (home.path / OUTSIDE).write_text('{"feeds": {"fear')
    toml("[[sleeves]]", '[outside]\nseries = ["fear-greed"]\n\n[[sleeves]]')(home, _)


CAUSES: dict[str, tuple[Cause, set[str], set[str]]] = {  # -> plant, what fails or cannot be said, what may go with it
    "the desk's limit": (toml("gross_frac_max = 3.0", "gross_frac_max = 2.0"), {"live.limits"}, GUARDS),
    "a sleeve's limit": (toml("streak_max = 3 ", "streak_max = 5 "), {"live.sleeve_limits"}, GUARDS),
    "fees": (of_instrument("taker_frac = 0.001"), {"live.costs", "backtest.fees"}, set()),
    "a tick": (of_instrument("tick = 0.05"), {"live.instrument"}, set()),
    "margins": (of_instrument("maintenance_frac = 0.02"), {"live.instrument"}, set()),
    "a part of the size": (in_journal(rules={"size_part": 0.25}), {"live.sizes"}, set()),
    "another side": (in_journal(side="short"), {"live.parameters"}, set()),
    "another stage": (in_journal(stage="live"), {"live.parameters"}, set()),
    "a fee of the core": (in_journal(rules={"taker_frac": 0.0}), {"live.costs"}, set()),
    "margin tiers": (in_journal(rules={"tiers": [[0.0, 0.5]]}), {"live.instrument"}, set()),
    "a halt file": (lambda home, _: (home.path / "HALT").touch(), {"live.no_halt"}, set()),
    "a halt row": (lambda home, _: halt.set_row(home.engine, "x", {"name": "ann"}, WALL_MS), {"live.no_halt"}, set()),
    "people's journal": (edited_people, {"live.chains_whole"}, set()),
    "drift of another version": (
        lambda home, _: keep_drift(home.path, {f"{MODEL}@0.9.0": STEADY}, WALL_MS),
        {"training.inputs_steady"},
        set(),
    ),
    "a damaged record of outside series": (unread_outside, {"data.outside", "data.sources_agree"}, set()),
}


@pytest.mark.sample(3)
@pytest.mark.usefixtures("home_path")
@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_turns_its_points_and_no_other(cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a kept result, but what it is made of."""
    plant, turned, beside = CAUSES[cause]
    plant(open_home(WALL_MS), monkeypatch)
    report = audit(open_home(WALL_MS), WALL_MS, SLEEVE)
    found = {line["name"]: line["why"] for line in report["points"] if line["state"] in ("fails", "cannot_say")}
    assert turned <= set(found) <= turned | beside, found


@pytest.mark.usefixtures("home_path")
def test_every_rule_of_the_core_is_compared_by_a_point() -> None:
    """A rule that comes to the core comes to a point, too: the part of the size had none."""
    home = open_home(WALL_MS)
    desk = active(home.engine, home.path)
    rules = set(AuditedSleeve(home, desk, desk.config.sleeve(SLEEVE), WALL_MS).source_today["rules"])
    of_place = {"instrument", "bar_ms", "bars"}  # of the sleeve itself: live.parameters compares instrument and timeframe
    assert rules == {*EXITS, *SIZES, *OWN_LIMITS, *INSTRUMENT, *FEE_RULES} | of_place
