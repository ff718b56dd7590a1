"""Retention: what is older than desk.toml says goes, what something names stays, journals stay; logs turn over in use."""

import gzip
import io
import json
import os
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.home.settings import DeskToml
from app.upkeep import retention
from app.upkeep.retention import carry_out, plan
from engine.clock import DAY_MS
from engine.errors import DataError
from engine.store import db
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.store.tables import ConfigVersion, InboxNote, Job, Proposal, Run, TurnEvent

NOW = 1_760_000_000_000
RUNS = [f"r-20250101-{n:08x}" for n in range(9)]


def aged(path: Path, days: float, text: str = "x") -> Path:
    """A file that was written so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (NOW / 1000 - days * 86_400,) * 2)
    return path


def with_ages(home: Home, **ages: float) -> Home:
    """The home with such a [retention]."""
    desk = home.desk.model_dump() | {"retention": home.desk.retention.model_dump() | ages}
    object.__setattr__(home, "desk", DeskToml.model_validate(desk))
    return home


def left(folder: Path) -> set[str]:
    """Names in a folder."""
    return {path.name for path in folder.iterdir()}


def test_nothing_but_old_logs_goes_by_default(own_home: Path) -> None:
    """Runs, recordings and requests are kept for ever until desk.toml says otherwise; a young log stays."""
    home = open_home(NOW)
    for name in ("runs/r-20250101-00000000/run.json", "recordings/okx/2025-01-01/00.jsonl.gz", "turns/u-1/1.json.gz"):
        aged(own_home / name, 4_000)
    aged(own_home / "logs" / "j-old.log", 31)
    aged(own_home / "logs" / "j-young.log", 29)
    aged(own_home / "logs" / "worker.jsonl", 400)
    assert [(act.act, act.path.name) for act in carry_out(plan(home, NOW))] == [("remove", "j-old.log")]
    assert left(own_home / "logs") == {"j-young.log", "worker.jsonl"}
    assert plan(home, NOW) == []


def test_a_run_that_something_names_stays(own_home: Path) -> None:
    """Proposal, note, version, memory page, decision in the journal, a turn of these days, a name: each alone keeps its run."""
    home = with_ages(open_home(NOW), runs_days=90)
    for run in RUNS:
        aged(own_home / "runs" / run / "run.json", 100)
    own = {"diff": "{}", "diff_sha256": "", "direction": "neutral", "created_ms": NOW, "expires_ms": NOW}
    with db.write(home.engine) as session:
        evidence = json.dumps([{"kind": "run", "id": RUNS[0]}])
        session.add(Proposal(id="prop-1", kind="change", sleeve="s", base_version=1, state="rejected", evidence=evidence, **own))
        session.add(InboxNote(id="n-1", role="advisor", title="t", text=f"see {RUNS[1]}", created_ms=NOW))
        session.add(ConfigVersion(version=1, sha256="", created_ms=NOW, reason=f"as {RUNS[2]} shows"))
        session.add(TurnEvent(turn="u-1", n=1, kind="tool", created_ms=NOW - 89 * DAY_MS, body=json.dumps({"run": RUNS[3]})))
        session.add(TurnEvent(turn="u-0", n=1, kind="tool", created_ms=NOW - 91 * DAY_MS, body=json.dumps({"run": RUNS[7]})))
        for run, body in ((RUNS[4], {"name": "the good one"}), (RUNS[8], {"name": None})):
            more = {"created_ms": NOW, "strategy": "trend", "symbol": "X", "timeframe": "15m", "cache_key": "k"}
            session.add(Run(id=run, body=json.dumps(body), **more))
    aged(home.memory / "decisions" / "d.md", 1, f"because of {RUNS[5]}")
    journal = Journal(home.people_journal, "test")
    journal.append([Event("proposal", NOW, {"evidence": [RUNS[6]]}), Event("tool", NOW, {"run": RUNS[7]})])
    journal.close()
    acts = {act.path.name: act for act in plan(home, NOW)}
    assert {name for name, act in acts.items() if act.act == "remove"} == {RUNS[7], RUNS[8]}
    assert acts[RUNS[0]].why == "a proposal"
    carry_out(list(acts.values()))
    assert left(own_home / "runs") == set(RUNS) - {RUNS[7], RUNS[8]}


def test_a_run_that_a_training_names_stays(own_home: Path) -> None:
    """The journal of models, alone."""
    home = with_ages(open_home(NOW), runs_days=90)
    for run in RUNS[:2]:
        aged(own_home / "runs" / run / "run.json", 100)
    journal = Journal(home.journal / "models.jsonl", "test")
    journal.append([Event("model", NOW, {"shown_by": RUNS[0]})])
    journal.close()
    carry_out(plan(home, NOW))
    assert left(own_home / "runs") == {RUNS[0]}


def test_a_run_that_a_waiting_job_names_stays(own_home: Path) -> None:
    """It would find nothing to compare; a job that is over keeps nothing."""
    home = with_ages(open_home(NOW), runs_days=90)
    for run in RUNS[:2]:
        aged(own_home / "runs" / run / "run.json", 100)
    with db.write(home.engine) as session:
        for n, state in enumerate(("queued", "done")):
            args = json.dumps({"run": RUNS[n]})
            session.add(Job(id=f"j-{n}", kind="leaks", state=state, args=args, created_ms=NOW))
    carry_out(plan(home, NOW))
    assert left(own_home / "runs") == {RUNS[0]}


def test_a_log_that_reads_back_differently_stays(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that gives back other bytes than it took: the log is not emptied."""
    home = with_ages(open_home(NOW), log_megabytes=1)
    log = aged(own_home / "logs" / "worker.jsonl", 0, "line\n" * 300_000)
    monkeypatch.setattr(retention.gzip, "open", lambda _path: io.BytesIO(b"line\n" * 299_999 + b"lime\n"))
    assert carry_out(plan(home, NOW)) == []
    assert (log.read_text(), left(own_home / "logs")) == ("line\n" * 300_000, {"worker.jsonl"})


def test_a_run_that_is_cited_after_the_plan_comes_back(own_home: Path) -> None:
    """A cached run may be old: a proposal cites it while the removal is under way, by whatever words."""
    home = with_ages(open_home(NOW), runs_days=90)
    for run in RUNS[:3]:
        aged(own_home / "runs" / run / "run.json", 100)
    acts = plan(home, NOW)

    def late() -> dict[str, str]:
        assert not list(home.runs.glob("r-*"))  # whoever wants to cite one from here on finds none
        with db.write(home.engine) as session:
            own = {"diff": "{}", "diff_sha256": "", "direction": "neutral", "created_ms": NOW, "expires_ms": NOW}
            evidence = json.dumps([f"{RUNS[0]}-4 trades"])
            session.add(Proposal(id="prop-1", kind="change", sleeve="s", base_version=1, evidence=evidence, **own))
        return retention.names(home, NOW)

    done = carry_out(acts, late)
    assert [act.path.name for act in done] == RUNS[1:3]
    assert left(own_home / "runs") == {RUNS[0]}


def test_runs_that_were_asked_about_come_back(own_home: Path) -> None:
    """Killed, or no answer, between the two names: every run is whole and there again."""
    home = with_ages(open_home(NOW), runs_days=90)
    aged(own_home / "runs" / RUNS[0] / "run.json", 100)

    def unknown() -> dict[str, str]:
        raise DataError("the database is locked")

    with pytest.raises(DataError):
        carry_out(plan(home, NOW), unknown)
    assert left(own_home / "runs") == {RUNS[0]}
    (own_home / "runs" / RUNS[0]).rename(own_home / "runs" / f"{retention.ASKED}{RUNS[0]}")
    assert [act.act for act in carry_out(plan(home, NOW))] == ["put back"]
    assert left(own_home / "runs") == {RUNS[0]}


def test_a_database_that_cannot_be_asked_removes_no_run(own_home: Path) -> None:
    """What names a run is not known then."""
    home = with_ages(open_home(NOW), runs_days=90)
    aged(own_home / "runs" / RUNS[0] / "run.json", 100)
    home.engine.dispose()
    (own_home / "desk.db").write_bytes(b"no database" * 100)
    assert retention.apply_retention(home, NOW) == []
    assert left(own_home / "runs") == {RUNS[0]}


def test_a_removal_that_broke_off_is_finished(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between: the run's name is gone at once, what is left of it goes at the next time."""
    home = with_ages(open_home(NOW), runs_days=90)
    aged(own_home / "runs" / RUNS[0] / "run.json", 100)

    def broken(_path: Path) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(retention.shutil, "rmtree", broken)
        assert carry_out(plan(home, NOW)) == []
    assert left(own_home / "runs") == {f".gone-{RUNS[0]}"}
    assert [act.act for act in carry_out(plan(home, NOW))] == ["remove"]
    assert left(own_home / "runs") == set()


def test_recordings_and_requests_go_by_day(own_home: Path) -> None:
    """A day whose youngest file is older than said; the day before stays."""
    home = with_ages(open_home(NOW), recordings_days=10, sent_days=5)
    aged(own_home / "recordings" / "okx" / "2026-03-01" / "00.jsonl.gz", 11)
    aged(own_home / "recordings" / "okx" / "2026-03-02" / "00.jsonl.gz", 11)
    aged(own_home / "recordings" / "okx" / "2026-03-02" / "23.jsonl.gz", 9)
    packed = own_home / "recordings" / "venue=okx" / "instrument=BTC-USDT"
    aged(packed / "day=2026-02-27" / "rows-1.parquet", 11)
    aged(packed / "day=2026-02-28" / "rows-1.parquet", 9)
    books = own_home / "level2" / "okx" / "BTC-USDT"
    aged(books / "okx_BTC-USDT_perp_20260227_l2.parquet" / "part-1-2.parquet", 11)
    aged(books / "okx_BTC-USDT_perp_20260227_trades.parquet" / "part-1-2.parquet", 11)
    aged(books / "okx_BTC-USDT_perp_20260301_l2.parquet" / "part-1-2.parquet", 9)
    aged(own_home / "turns" / "u-old" / "1.json.gz", 6)
    aged(own_home / "turns" / "u-new" / "1.json.gz", 4)
    carry_out(plan(home, NOW))
    assert (left(own_home / "recordings" / "okx"), left(own_home / "turns")) == ({"2026-03-02"}, {"u-new"})
    assert left(packed) == {"day=2026-02-28"}
    assert left(books) == {"okx_BTC-USDT_perp_20260301_l2.parquet"}


def test_simulated_makers_and_reports_go_by_age_and_a_makers_journal_stays(own_home: Path) -> None:
    """Nothing by default; then what is older than said, but for a maker on paper: its journal is what happened."""
    home = open_home(NOW)
    for name, age in (("old", 11), ("new", 9), ("paper", 500)):
        aged(own_home / "making" / name / "run.json", age)
    aged(own_home / "making" / "paper" / "making.jsonl", 500)
    aged(own_home / "reports" / "month-2026-05.md", 31)
    aged(own_home / "reports" / "month-2026-06.md", 29)
    assert plan(home, NOW) == []
    home = with_ages(home, makers_days=10, reports_days=30)
    done = carry_out(plan(home, NOW))
    assert [(one.kind, one.path.name) for one in done] == [("maker", "old"), ("report", "month-2026-05.md")]
    assert (left(own_home / "making"), left(own_home / "reports")) == ({"new", "paper"}, {"month-2026-06.md"})


def test_a_log_turns_over_while_it_is_written_to(own_home: Path) -> None:
    """Packed with everything it had; whoever has it open goes on in the emptied file; the packed one goes by age."""
    home = with_ages(open_home(NOW), log_megabytes=1.0)
    path = own_home / "logs" / "page.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"a line\n" * 200_000)
        assert [act.act for act in carry_out(plan(home, NOW))] == ["turn over"]
        writer.write(b"the next\n")
    assert path.read_bytes() == b"the next\n"
    (packed,) = (own_home / "logs").glob("page-*.log.gz")
    assert gzip.decompress(packed.read_bytes()) == b"a line\n" * 200_000
    os.utime(packed, (0, 0))
    assert [act.path for act in plan(home, NOW)] == [packed]


def test_journals_stay_and_unfinished_ends_are_packed(own_home: Path) -> None:
    """However old; what a crash left behind is packed and reads back the same. A full disk leaves the original."""
    home = open_home(NOW)
    aged(home.journal / "desk.jsonl", 4_000, "records\n")
    piece = aged(home.journal / "desk.jsonl.unfinished-120-0", 8, '{"seq":')
    aged(home.journal / "desk.jsonl.unfinished-400-0", 6)
    assert [act.path for act in plan(home, NOW)] == [piece]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention.gzip, "open", lambda _: (_ for _ in ()).throw(OSError("full")))
        assert carry_out(plan(home, NOW)) == []
    assert left(home.journal) == {"desk.jsonl", piece.name, "desk.jsonl.unfinished-400-0"}
    carry_out(plan(home, NOW))
    assert left(home.journal) == {"desk.jsonl", f"{piece.name}.gz", "desk.jsonl.unfinished-400-0"}
    assert gzip.decompress(piece.with_name(f"{piece.name}.gz").read_bytes()) == b'{"seq":'


def test_what_was_applied_by_hand_is_what_the_page_shows(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command keeps its look as the schedule does; `show` changes nothing, and keeps none."""
    from app.cli.upkeep import apply_retention, show_retention
    from engine.watch.last_upkeep import last_upkeep

    home = open_home(NOW)
    aged(home.path / "logs" / "j-old.log", 400, "x" * 40)
    show_retention(as_json=True)
    assert last_upkeep(home.path)["look"] is None
    apply_retention(as_json=True)
    look = last_upkeep(home.path)["look"]
    assert (look["removed"], look["freed"]) == (1, 40)
    assert {one["kind"] for one in look["taken"]} >= {"journals", "database", "runs", "logs"}
    capsys.readouterr()
