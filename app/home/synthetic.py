"""The synthetic market of a home without recorded data: written once, by whichever process needs it first.

Called by app/processes/worker.py at start and by app/jobs/kinds.py before a backtest on the venue `synthetic`. The same seed
(desk.toml) gives the same files in every home, and every output based on them says SYNTHETIC.
"""

from pathlib import Path

from app.home.home import Home

FROM_MS = 1_735_689_600_000  # 2025-01-01
DAYS = 425  # a month of warm-up, a month of replay, a year ahead
BARS_MAX = 200_000


def ensure_market(home: Home) -> bool:
    """Write the bars and funding of the desk's synthetic sleeves if missing; True when written."""
    from engine.clock import timeframe_ms
    from engine.control.config import active
    from engine.errors import DeskError

    try:
        config = active(home.engine, home.path).config
    except DeskError:
        if home.desk_journal.exists():
            return False  # its bars were made before it began; the worker says what is wrong with the version
        raise
    sleeves, timeframe = [s for s in config.traded if s.venue == "synthetic"], config.clock
    stored = {(s.symbol, s.series) for s in home.catalog.series() if s.venue == "synthetic"}
    wanted = {(s.symbol, series) for s in sleeves for series in (s.timeframe, timeframe, "funding")}
    if wanted <= stored:
        return False
    from engine.data.synthetic import write_synthetic

    bar_ms = timeframe_ms(timeframe)
    bars = min(DAYS * 86_400_000 // bar_ms, BARS_MAX)
    symbols = list(dict.fromkeys(s.symbol for s in sleeves))
    folder = home.path / "data" / "synthetic"
    write_synthetic(folder, symbols, timeframe, bar_ms, FROM_MS, bars, home.desk.worker.seed)
    home.__dict__.pop("catalog", None)  # it was read before the files existed
    longer = dict.fromkeys((s.symbol, s.timeframe) for s in sleeves if s.timeframe != timeframe)
    for symbol, own in longer:
        write_longer(home, folder, symbol, timeframe, own)
    home.__dict__.pop("catalog", None)
    return True


def write_longer(home: Home, folder: Path, symbol: str, timeframe: str, own: str) -> None:
    """The clock's bars of a synthetic symbol once more, as whole bars of a longer timeframe."""
    import polars as pl

    from engine.clock import timeframe_ms
    from engine.data.writer import file_name, write_series
    from engine.features.higher import aggregated, higher_clock

    base = home.catalog.bars(home.catalog.find("synthetic", symbol, timeframe))
    clock_ms, own_ms = timeframe_ms(timeframe), timeframe_ms(own)
    lying = higher_clock(base["ts"].to_numpy() + clock_ms, clock_ms, own_ms)
    columns = {name: base[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}
    first = int(base["ts"][lying.start])
    ts = {"ts": [first + own_ms * k for k in range(lying.count)]}
    frame = pl.DataFrame(ts | aggregated(columns, lying))
    about = {"seed": str(home.desk.worker.seed), "notes": f"SYNTHETIC: the {timeframe} bars as {own}"}
    write_series(folder / file_name("synthetic", symbol, "perp", own), frame, "synthetic", about)
