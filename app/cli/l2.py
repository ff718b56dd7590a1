"""`nightdesk l2 check | replay | features | labels | feasibility`: recorded level 2, from a look at the door to the word no.

Called by app/cli/main.py. Everything is computed in engine/l2; nothing is written but what `--out` names. It needs no home.
`record` is in l2_record.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.cli import l2_record, out
from app.cli.data import named_path
from engine.amounts import percent_text
from engine.errors import BadInput, DataError

if TYPE_CHECKING:
    import polars as pl

    from engine.l2.book import DepthBook
    from engine.l2.checks import OpenTape
    from engine.l2.tape import BookTape, Scale

group = typer.Typer(
    no_args_is_help=True, help="Level 2: record a book; check, replay, features, labels and feasibility of a recorded one."
)

l2_record.register(group)

FILE = typer.Argument(
    ..., metavar="FILE", help="A tape: VENUE_BASE-QUOTE_perp|spot_TAG_l2.parquet, or its name in the data folders."
)
JSON = typer.Option(False, "--json", help="One JSON object on stdout.")
OUT = typer.Option(None, "--out", help="Write the rows to this parquet file; it must not exist.")
HORIZONS = typer.Option([], "--horizon", help="Seconds; may be given several times. Default: 1, 5, 10, 30.")
REPEATS = 5  # of a timed replay, in CPU time; the fastest counts


def register(app: typer.Typer) -> None:
    """Add the `l2` group."""
    app.add_typer(group, name="l2")


@group.command("check")
def check_tapes(
    path: str = typer.Argument(..., metavar="FILE|FOLDER", help="A tape, or a folder of tapes."),
    as_json: bool = JSON,
) -> None:
    """What is wrong with a tape, and whether the rebuilt book is the venue's. Errors exit with 1; warnings do not."""
    from engine.l2.checks import tapes_in

    items = [_checked(file) for file in tapes_in(named_path(path))]
    bad = sum(item["errors"] for item in items)
    body = {"items": items, "errors": bad, "warnings": sum(item["warnings"] for item in items)}
    out.emit(body, as_json=as_json, text=lambda: "\n".join(_check_lines(item) for item in items))
    if bad:
        raise typer.Exit(1)


@group.command("replay")
def replay_tape(file: str = FILE, as_json: bool = JSON) -> None:
    """Replay a tape through the book, compiled: CPU us a message, first book and last. It checks nothing: see check."""
    import time

    from engine.l2.kernel import warm_up
    from engine.l2.replay import replay
    from engine.l2.tape import read_tape

    begun = time.perf_counter()
    tape = read_tape(named_path(file))
    read_s = time.perf_counter() - begun
    warm_up()
    taken = []
    for _ in range(REPEATS):
        begun = time.thread_time()
        replayed = replay(tape)
        taken.append(time.thread_time() - begun)
    count, seconds = len(tape.kind), min(taken)
    body = {
        **_head(tape),
        "messages": count,
        "levels": len(tape.price),
        "applied": int((replayed.written.became == 0).sum()),
        "read_s": read_s,
        "replay_cpu_s": seconds,
        "us_a_message": seconds / count * 1e6,
        "messages_a_second": count / seconds,
        "first": None if replayed.first is None else _book(replayed.first, tape.scale),
        "last": None if replayed.first is None else _book(replayed.last, tape.scale),
    }
    out.emit(body, as_json=as_json, text=lambda: _replay_text(body))


@group.command("features")
def show_features(
    file: str = FILE,
    every: int = typer.Option(100, "--every", min=10, max=600_000, help="A row every this many ms of the recorder's clock."),
    events: bool = typer.Option(False, "--events", help="A row after each message instead."),
    path: Path | None = OUT,
    as_json: bool = JSON,
) -> None:
    """Features of the book: imbalance, depth, queue, microprice, flow, intensity. A tape with errors is refused."""
    from engine.l2.checks import sound_tape
    from engine.l2.features import computed
    from engine.l2.moments import EVENTS, moments_of

    opened = sound_tape(named_path(file))
    moments = moments_of(opened.tape, opened.report.replayed, opened.trades, EVENTS if events else every)
    columns = computed(moments)
    items = [{"name": c.name, "unit": c.unit, "about": c.about, **_figures(c.values)} for c in columns]
    body = {
        **_head(opened.tape),
        "every_ms": None if events else every,
        "rows": len(moments.when_ns),
        "usable_frac": float((moments.part > 0).mean()) if len(moments.part) else 0.0,
        "items": items,
        "out": _written(path, moments.when_ns, {c.name: c.values for c in columns}, opened.tape),
    }
    out.emit(body, as_json=as_json, text=lambda: _features_table(body))


@group.command("labels")
def show_labels(
    file: str = FILE,
    every: int = typer.Option(500, "--every", min=10, max=600_000, help="An order of each side every this many ms."),
    life: float = typer.Option(60.0, "--life", help="Seconds that an order rests."),
    horizon: list[float] = HORIZONS,
    fill: str = typer.Option("through", "--fill", help="through: a taker trades beyond the price; queue: or through the queue."),
    path: Path | None = OUT,
    as_json: bool = JSON,
) -> None:
    """What became of an order that rests at the best price: filled, time to fill, move, MFE, MAE. Needs recorded trades."""
    import numpy as np

    from engine.l2.checks import sound_tape
    from engine.l2.moments import changes_of, moments_of
    from engine.l2.outcomes import HORIZONS_S, by_speed, labels_of

    opened = sound_tape(named_path(file))
    if opened.trades is None:
        raise DataError(f"{opened.tape.path}: no trades beside it", "an order is filled by trades: record _trades.parquet, too")
    horizons = tuple(horizon) or HORIZONS_S
    moments = moments_of(opened.tape, opened.report.replayed, opened.trades, every)
    changes = changes_of(opened.report.replayed, opened.tape)
    orders = labels_of(opened.tape, changes, moments, opened.trades, life_s=life, horizons_s=horizons, fill=fill)
    known = np.isfinite(orders.filled)
    body = {
        **_head(opened.tape),
        "every_ms": every,
        "life_s": life,
        "fill": fill,
        "orders": len(orders.side),
        "known": int(known.sum()),
        "filled_frac": float(orders.filled[known].mean()) if known.any() else None,
        "by_speed": [{"horizon_s": h, "classes": by_speed(orders, horizons, h)} for h in horizons],
        "out": _written(path, orders.placed_ns, _label_columns(opened, orders, horizons), opened.tape),
    }
    out.emit(body, as_json=as_json, text=lambda: _labels_text(body))


@group.command("feasibility")
def show_feasibility(
    path: str = typer.Argument(..., metavar="FILE|FOLDER", help="A tape, or a folder of tapes of one instrument, day after day."),
    floor: float | None = typer.Option(
        None, "--floor-bps", help="What both sides cost; default: twice the maker fee of your tier."
    ),
    every: int = typer.Option(100, "--every", min=10, max=600_000, help="A moment every this many ms."),
    horizon: list[float] = HORIZONS,
    page: Path | None = typer.Option(None, "--page", help="Also write the answer to this HTML file; it must not exist."),
    as_json: bool = JSON,
) -> None:
    """Whether a recording has an edge above the fees at all: every feature at every horizon, judged on later data. Often: no."""
    from app.cli.l2_judged import text_of
    from app.making.ground import judged
    from engine.control.desk_setup import desk_setup

    body = judged(named_path(path), floor, every, tuple(horizon), desk_setup().overrides)
    if page is not None:
        from app.cli.l2_page import write_page

        write_page(page, body)
    out.emit(body, as_json=as_json, text=lambda: text_of(body))


@group.command("train")
def train_heads(
    path: str = typer.Argument(..., metavar="FILE|FOLDER", help="A tape, or a folder of tapes of one instrument, day after day."),
    every: int = typer.Option(100, "--every", min=10, max=600_000, help="An order of each side every this many ms."),
    life: float = typer.Option(10.0, "--life", help="Seconds that an order rests."),
    horizon: float = typer.Option(5.0, "--horizon", help="Seconds after the fill at which it is judged."),
    fill: str = typer.Option("through", "--fill", help="through or queue, as in labels."),
    floor: float | None = typer.Option(
        None, "--floor-bps", help="What both sides cost; default: twice the maker fee of your tier."
    ),
    card: Path | None = typer.Option(None, "--card", help="Also write everything to this JSON file; it must not exist."),
    as_json: bool = JSON,
) -> None:
    """LightGBM on orders' outcomes: chance of a fill, adverse selection, edge; judged by five folds. Often: no."""
    import time

    from app.cli.l2_train import counted, text_of, trained, write_card

    body = trained(named_path(path), every, life, horizon, fill, floor)
    body["trial"] = counted(body, time.time_ns() // 1_000_000)
    if card is not None:
        write_card(card, body)
    out.emit(body, as_json=as_json, text=lambda: text_of(body))


def _checked(path: Path) -> dict[str, Any]:
    """One tape's look as JSON; a file that cannot be read is one error of its own, and stops no other."""
    from engine.data.issues import as_json as findings_json
    from engine.l2.checks import open_tape

    try:
        opened = open_tape(path)
    except DataError as error:
        return {"file": str(path), "error": str(error), "errors": 1, "warnings": 0, "findings": []}
    issues = opened.report.issues
    bad = sum(f.severity == "error" for f in issues)
    counts = {"error": None, "errors": bad, "warnings": len(issues) - bad, "findings": findings_json(issues)}
    return {**_head(opened.tape), **counts, **opened.report.figures}


def _head(tape: "BookTape") -> dict[str, Any]:
    """What every answer says of its tape first."""
    return {"file": str(tape.path), "venue": tape.venue, "symbol": tape.symbol, "market": tape.market}


def _check_lines(item: Mapping[str, Any]) -> str:
    """A tape's verdict, counts and issues."""
    if item["error"]:
        return f"{item['file']}\n  error    {item['error']}"
    verdict = "sound" if not item["errors"] else f"{item['errors']} errors"
    deltas = ", ".join(f"{count:,} {name}" for name, count in item["deltas"].items() if count)
    lines = [f"{item['file']}: {verdict}, {item['messages']:,} messages ({item['snapshots']:,} snapshots; deltas: {deltas})"]
    if item["shared_ids"]:
        lines.append(f"  {item['equal']:,} of {item['shared_ids']:,} shared ids equal to the venue's best quotes")
    spread = item["spread_ticks"]
    if spread["median"] is not None:
        lines.append(f"  spread in ticks: median {spread['median']:g}, mean {spread['mean']:.2f}, p90 {spread['p90']:g}")
    return "\n".join(lines + [f"  {f['severity']:8} {f['rule']}: {f['text']}" for f in item["findings"]])


def _book(book: "DepthBook", scale: "Scale") -> dict[str, list[list[float]]]:
    """The ten best levels of both sides, best first, as [price, quantity]."""
    from engine.l2.replay import levels_of

    return {
        name: [[float(scale.price(price)), float(scale.quantity(lots))] for price, lots in levels_of(book, side)]
        for side, name in enumerate(("bids", "asks"))
    }


def _replay_text(body: Mapping[str, Any]) -> str:
    """Speed, then the best levels of the first and the last book."""
    speed = f"{body['us_a_message']:.2f} us of CPU a message, {body['messages_a_second']:,.0f} messages a second"
    lines = [f"{body['messages']:,} messages, {body['levels']:,} levels, {body['applied']:,} applied: {speed}"]
    for name in ("first", "last"):
        book = body[name]
        best = [book[side][0] if book and book[side] else None for side in ("bids", "asks")]
        bid, ask = ("-" if level is None else f"{level[1]:g} at {level[0]:.10g}" for level in best)
        lines.append(f"  {name} book: bid {bid}, ask {ask}")
    return "\n".join(lines)


def _figures(values: Any) -> dict[str, float | None]:
    """Missing share, mean, deviation and range of a column."""
    import numpy as np

    good = values[np.isfinite(values)]
    found = (good.mean(), good.std(), good.min(), good.max()) if len(good) else (None,) * 4
    figures = {name: None if x is None else float(x) for name, x in zip(("mean", "sd", "min", "max"), found, strict=True)}
    return {"missing_frac": 1.0 - len(good) / max(len(values), 1)} | figures


def _written(path: Path | None, when_ns: Any, columns: Mapping[str, Any], tape: "BookTape") -> str | None:
    """Write rows as parquet: ts (UTC ms), when_ns, columns. Raises BadInput for a file that exists."""
    if path is None:
        return None
    import polars as pl

    from engine.data.writer import write_series

    if path.exists():
        raise BadInput(f"{path} exists", "choose another name, or remove it")
    frame = pl.DataFrame({"ts": when_ns // 1_000_000, "when_ns": when_ns, **columns})
    return str(write_series(path, _null(frame), "recorded", {"file": tape.path.name}))


def _null(frame: "pl.DataFrame") -> "pl.DataFrame":
    """NaN as null: missing is null in files."""
    import polars as pl

    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def _label_columns(opened: "OpenTape", orders: Any, horizons: tuple[float, ...]) -> dict[str, Any]:
    """Labels as the columns of a file."""
    found = {
        "side": orders.side,
        "price": opened.tape.scale.price(orders.price),
        "filled": orders.filled,
        "time_to_fill_ms": orders.time_to_fill_ms,
        "known_ns": orders.known_ns,
    }
    for k, h in enumerate(horizons):
        for name in ("move", "mfe", "mae"):
            found[f"{name}_{h:g}s_bps"] = getattr(orders, f"{name}_bps")[:, k]
    return found


def _features_table(body: Mapping[str, Any]) -> Any:
    """Features as a table."""
    from rich.table import Table

    table = Table("feature", "unit", "missing", "mean", "sd", "min", "max", box=None)
    table.title = f"{body['rows']:,} rows, {percent_text(body['usable_frac'], 1)} with a usable book"
    for item in body["items"]:
        figures = ["-" if item[k] is None else f"{item[k]:.4g}" for k in ("mean", "sd", "min", "max")]
        table.add_row(item["name"], item["unit"], percent_text(item["missing_frac"], 1), *figures)
    return table


def _labels_text(body: Mapping[str, Any]) -> str:
    """Share filled, then the classes by time to fill at each horizon."""
    part = percent_text(body["filled_frac"], 1)
    lines = [f"{body['known']:,} of {body['orders']:,} orders known, {part} filled within {body['life_s']:g} s ({body['fill']})"]
    for one in body["by_speed"]:
        lines.append(f"  {one['horizon_s']:g} s after the fill")
        for c in one["classes"]:
            figures = "none"
            if c["move_bps"] is not None:
                figures = f"move {c['move_bps']:+.2f} bps, MFE {c['mfe_bps']:.2f}, MAE {c['mae_bps']:.2f}"
                figures += f", adverse {percent_text(c['adverse_frac'], 0)}"
            lines.append(f"    filled in {c['from_s']} to {c['to_s']} s: {c['orders']:,}, {figures}")
    return "\n".join(lines)
