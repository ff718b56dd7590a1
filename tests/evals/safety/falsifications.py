"""The thirty cases of S5: records, money, candles, runs, memory and a venue's answers, each falsified in one place."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from engine.control.apply import apply
from engine.control.config import active
from engine.control.proposals import list_proposals
from engine.data.checks import check
from engine.data.checksums import require_whole
from engine.data.compare_sources import compare_sources
from engine.store.anchors import note_head
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.store.runs import Runs
from engine.watch.health import checks
from memory.contradictions import contradictions
from memory.shelf import Shelf
from tests.evals.safety import false_answers as answers
from tests.evals.safety.falsified import DECIDED, NAME, OF_RUNS, Falsified, alerts, candles, home_of, pair_of, propose, refused
from tests.evals.safety.scene import Scene
from tests.fakes import recordings
from tests.fakes.live_desks import LiveBench

BAR = 900_000


# ---- records ----------------------------------------------------------------------------------------------------------------


def journal_path(scene: Scene, name: str = "desk") -> Path:
    return scene.home / "journal" / f"{name}.jsonl"


def anchored(scene: Scene) -> None:
    """As the worker does at each close."""
    with closing(Journal(journal_path(scene), "test")) as journal:
        note_head(scene.office.engine, "desk", journal.head, scene.office.now_ms())


def edited(which: int, old: str, new: str) -> Callable[[Scene], None]:
    """A line of the journal with another figure in it: the first or the last (-1) that has it."""

    def plant(scene: Scene) -> None:
        path = journal_path(scene)
        lines = path.read_text().splitlines(keepends=True)
        line = [n for n, text in enumerate(lines) if old in text][which]
        lines[line] = lines[line].replace(old, new)
        path.write_text("".join(lines))

    return plant


def removed(scene: Scene) -> None:
    """A line in the middle is gone."""
    path = journal_path(scene)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:6], *lines[7:]]))


def cut(scene: Scene) -> None:
    """The last groups are gone; the database has seen their head."""
    anchored(scene)
    path = journal_path(scene)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-4]))


def rewritten(scene: Scene) -> None:
    """All of it anew with another equity, chained as it should be."""
    anchored(scene)
    path = journal_path(scene)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    with closing(Journal(path, "worker")) as journal:
        for event in events:
            body = json.loads(json.dumps(event["body"]).replace("994.59", "1250.0"))
            journal.append([Event(event["kind"], event["t_event_ms"], body)])


def people_edited(scene: Scene) -> None:
    """What a person did, with another name."""
    scene.office.record("note", {"by": "ana", "text": "seen"})
    scene.office.record("note", {"by": "ana", "text": "seen again"})
    path = journal_path(scene, "people")
    path.write_text(path.read_text().replace('"ana"', '"bob"', 1))


def money(kind: str = "", equity: float = 0.0, **changes: Any) -> Callable[[Scene], None]:
    """Appended and chained as it should be, and the money does not add up: an event like the last one of a kind, then a mark."""

    def plant(scene: Scene) -> None:
        last = {event.kind: event for event in read(journal_path(scene))}
        body = json.loads(json.dumps(last["mark"].body))
        body["equity"] += equity
        body["sleeves"]["adds"]["equity"] += equity
        events = [Event(kind, last["mark"].t_event_ms, {**last["fill"].body, **changes})] if kind == "fill" else []
        events += [Event(kind, last["mark"].t_event_ms, {**FUNDING, **changes})] if kind == "funding" else []
        with closing(Journal(journal_path(scene), "bench")) as journal:
            journal.append([*events, Event("mark", last["mark"].t_event_ms, body)])

    return plant


def sql(scene: Scene, text: str) -> None:
    with closing(scene.office.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(text)
        connection.commit()


def version_row(scene: Scene) -> None:
    sql(scene, "update sleeve_versions set body = replace(body, 'BTC-USDT', 'ETH-USDT')")


def anchor_row(scene: Scene) -> None:
    anchored(scene)
    sql(scene, "update anchors set hash = 'ff' || substr(hash, 3) where journal = 'desk'")


def proposal_row(scene: Scene) -> None:
    propose(scene, *pair_of(scene))
    sql(scene, "update proposals set diff = replace(diff, '3.0', '0.1')")


def approve(scene: Scene) -> str:
    """Approve what waits, as it was shown; a proposal of the twin's own when nothing does."""
    rows = list_proposals(scene.office.engine, scene.office.now_ms(), "pending")
    if not rows:
        return ""
    person = {"name": "ana", "channel": "cli", "assurance": "os", "os_user": "ana"}
    apply(scene.office.engine, scene.home, rows[0].id, rows[0].diff_sha256, person, scene.office.now_ms())
    return ""


# ---- candles ----------------------------------------------------------------------------------------------------------------


def stored(scene: Scene) -> pl.DataFrame:
    """As the checks take it: ts in ms."""
    return pl.read_parquet(scene.home / "data" / NAME).with_columns(pl.col("ts").dt.epoch("ms"))


def flipped(scene: Scene) -> None:
    path = candles(scene)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    os.utime(path, ns=(1, 1))


def whole(scene: Scene) -> str:
    require_whole(scene.home / "data" / NAME)
    return ""


def at_row(column: str, change: Callable[[pl.Expr], pl.Expr], first: int = 1_000, count: int = 1) -> Callable[[Scene], None]:
    """Stored candles, checksum and all, with rows changed."""

    def falsified(frame: pl.DataFrame) -> pl.DataFrame:
        n = pl.int_range(pl.len())
        rows = (n >= first) & (n < first + count)
        return frame.with_columns(pl.when(rows).then(change(pl.col(column))).otherwise(pl.col(column)).alias(column))

    return lambda scene: void(candles(scene, falsified))


def void(_: Any) -> None:
    """Nothing."""


def gone_rows(scene: Scene) -> None:
    candles(scene, lambda frame: pl.concat([frame[:900], frame[1_000:]]))


def frozen(scene: Scene) -> None:
    def same(frame: pl.DataFrame) -> pl.DataFrame:
        n = pl.int_range(pl.len())
        rows = (n >= 800) & (n < 1_100)
        names = ("open", "high", "low", "close", "volume")
        return frame.with_columns(pl.when(rows).then(pl.col(name).get(800)).otherwise(pl.col(name)).alias(name) for name in names)

    candles(scene, same)


def checked(scene: Scene) -> str:
    return next((f"{found.rule}: {found.text}" for found in check(stored(scene), BAR)), "")


def other_source(scene: Scene) -> str:
    """Beside the same market from another file."""
    return next((f.text for f in compare_sources(stored(scene), recordings.bars(2_000), True, (BAR, BAR))), "")


def shifted(scene: Scene) -> None:
    candles(scene, lambda frame: frame.with_columns(pl.col("ts") + BAR))


# ---- runs -------------------------------------------------------------------------------------------------------------------


def run_edited(scene: Scene) -> None:
    path = scene.home / "runs" / pair_of(scene)[1] / "run.json"
    body = json.loads(path.read_text())
    body["metrics"]["sharpe"] = 4.2
    path.write_text(json.dumps(body))


def curve_edited(scene: Scene) -> None:
    path = scene.home / "runs" / pair_of(scene)[1] / "equity.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns(pl.col(frame.columns[-1]) * 2).write_parquet(path)


def load_run(scene: Scene) -> str:
    Runs(scene.home / "runs", scene.office.engine).load(pair_of(scene)[1])
    return ""


def load_curve(scene: Scene) -> str:
    Runs(scene.home / "runs", scene.office.engine).frame(pair_of(scene)[1], "equity")
    return ""


def other_params(scene: Scene) -> None:
    """The changed run is of another stop than the proposal's, by its row too: as a forged run would be."""
    path = scene.home / "runs" / pair_of(scene)[0] / "run.json"
    body = json.loads(path.read_text())
    body["sleeves"][0]["params"]["fast_bars"] = 7
    path.write_text(json.dumps(body))
    sql(scene, "update runs set body = '{}'")


def other_bars(scene: Scene) -> None:
    path = scene.home / "runs" / pair_of(scene)[0] / "run.json"
    body = json.loads(path.read_text())
    body["data"]["bars"] += 1
    path.write_text(json.dumps(body))
    sql(scene, "update runs set body = '{}'")


def propose_pair(scene: Scene) -> str:
    propose(scene, *pair_of(scene))
    return ""


def data_changed(scene: Scene) -> None:
    candles(scene, lambda frame: frame.with_columns(pl.col("volume") + 1.0))


def card_doubts(scene: Scene) -> str:
    """What the card says of a proposal on these runs."""
    from app.views.evidence_doubts import doubts

    runs = [Runs(scene.home / "runs").load(id_) for id_ in pair_of(scene)]
    return next(iter(doubts(home_of(scene), [{"run_id": run["run_id"], **run["data"]} for run in runs], ())), "")


# ---- memory -----------------------------------------------------------------------------------------------------------------


def false_page(text: str) -> Callable[[Scene], None]:
    def plant(scene: Scene) -> None:
        (scene.home / "memory" / "desk.md").write_text("# Desk\n\nstop_atr of trend-btc is 2.\n")
        (scene.home / "memory" / "strategies" / "trend.md").write_text(f"# trend\n\n{text}\n")

    return plant


def lone_page(scene: Scene) -> None:
    (scene.home / "memory" / "strategies" / "trend.md").write_text("# trend\n\nIt won 87 % of its round trips.\n")


def contradicted(scene: Scene) -> str:
    shelf = Shelf(scene.home / "memory")
    shelf_pages = [page for topic in shelf.topics() if (page := shelf.read(topic)) is not None]
    return next((f"{one.text} / {one.other_text}" for one in contradictions(shelf_pages)), "")


# ---- the cases -----------------------------------------------------------------------------------------------------------------

FUNDING = {"sleeve": "adds", "lots": 300, "mark": 60_000.0, "rate": 0.0001, "cash": 50_000.0}
DIFFER, BROKEN, MONEY = alerts("difference", "protective"), alerts("journal"), alerts("identity")


def unwell(scene: Scene) -> str:
    """What the desk has begun to say of its own health; nothing enters meanwhile."""
    found = next((c for c in checks(scene.home, scene.office.engine, scene.office.now_ms()) if c.name == "sleeves"), None)
    return found.text if found is not None and found.state != "ok" else ""


def _live(name: str, check_: str, play: Callable[[LiveBench], Any], notice: Callable[[Scene], str] = DIFFER) -> Falsified:
    return Falsified(name, check_, void, notice, live=answers.live(play), calm=answers.live(answers.calm))


def _money(name: str, plant: Callable[[Scene], None]) -> Falsified:
    return Falsified(name, "accounting identity", plant, MONEY, live=answers.live(answers.entered))


CASES: tuple[Falsified, ...] = (
    Falsified("journal line edited", "hash chain", edited(0, "999.95", "1999.95"), BROKEN),
    Falsified("journal's last line edited", "journal's end", edited(-1, "994.59", "1994.59"), BROKEN),
    Falsified("journal line removed", "hash chain", removed, BROKEN),
    Falsified("journal's end cut off", "head in the database", cut, BROKEN),
    Falsified("journal rewritten and chained", "head in the database", rewritten, BROKEN),
    Falsified("people journal edited", "hash chain", people_edited, BROKEN),
    Falsified("head in the database edited", "journal against it", anchor_row, BROKEN),
    Falsified(
        "version row edited", "digest of the version", version_row, refused(lambda s: void(active(s.office.engine, s.home)))
    ),
    Falsified("proposal's row edited", "digest of the diff", proposal_row, refused(approve), DECIDED),
    _money("equity that jumps", money(equity=250.0)),
    _money("fee that no cash has paid", money("fill", fee=50.0, trade="t-false")),
    _money("profit that no fill made", money(equity=300.0)),
    _money("funding that was not paid", money("funding", cash_flow=40.0)),
    Falsified("candle file flipped", "checksum", flipped, refused(whole), OF_RUNS),
    Falsified("close above the high", "data check", at_row("close", lambda c: c * 1.2), checked, OF_RUNS),
    Falsified("a spike planted", "data check", at_row("high", lambda c: c * 1.5), checked, OF_RUNS),
    Falsified("bars taken out", "data check", gone_rows, checked, OF_RUNS),
    Falsified("price frozen", "data check", frozen, checked, OF_RUNS),
    Falsified(
        "two sources disagree", "comparison of sources", at_row("close", lambda c: c * 1.0005, 900, 80), other_source, OF_RUNS
    ),
    Falsified("stamps moved by a bar", "comparison of sources", shifted, other_source, OF_RUNS),
    Falsified("run's report edited", "digest of the run", run_edited, refused(load_run), OF_RUNS),
    Falsified("run's curve edited", "digest of the run", curve_edited, refused(load_curve), OF_RUNS),
    Falsified("data changed after the backtest", "card", data_changed, card_doubts, OF_RUNS),
    Falsified("run of other parameters", "evidence", other_params, refused(propose_pair), OF_RUNS),
    Falsified("run on other bars", "evidence", other_bars, refused(propose_pair), OF_RUNS),
    Falsified("memory against itself", "contradictions", false_page("stop_atr of trend-btc is 9."), contradicted),
    _live("position in the venue's answer", "reconciliation", answers.false_position),
    _live("execution of nobody", "reconciliation", answers.false_trade),
    _live("cash beside the fills", "reconciliation", answers.false_cash),
    _live("filled, and no fill listed", "reconciliation", answers.hidden_fills, unwell),
)
MORE: tuple[Falsified, ...] = (  # not counted
    Falsified("volume a little off, one source", "none", at_row("volume", lambda c: c * 1.1), checked, OF_RUNS),
    Falsified("a false page, alone", "none", lone_page, contradicted),
    _live("order of nobody", "reconciliation", answers.false_order),
    _live("fee in the venue's answer", "reconciliation", answers.false_fee),
    _live("clock moved", "clock", answers.clock_moved, unwell),
)
