"""The synthetic market of a home without recorded data: written once, by whichever process needs it first.

Called by app/processes/worker.py at start and by app/jobs/kinds.py before a backtest on the venue `synthetic`. The same seed
(desk.toml) gives the same files in every home, and every output based on them says SYNTHETIC.
"""

from app.home.home import Home

FROM_MS = 1_735_689_600_000  # 2025-01-01
DAYS = 425  # a month of warm-up, a month of replay, a year ahead
BARS_MAX = 200_000


def ensure_market(home: Home) -> bool:
    """Write the bars and funding of the desk's synthetic sleeves if missing; True when written."""
    from engine.clock import timeframe_ms
    from engine.control.config import active

    sleeves = [s for s in active(home.engine, home.path).config.sleeves if s.venue == "synthetic"]
    stored = {(s.symbol, s.series) for s in home.catalog.series() if s.venue == "synthetic"}
    wanted = {(s.symbol, series) for s in sleeves for series in (s.timeframe, "funding")}
    if wanted <= stored:
        return False
    from engine.data.synthetic import write_synthetic

    timeframe = sleeves[0].timeframe
    bar_ms = timeframe_ms(timeframe)
    bars = min(DAYS * 86_400_000 // bar_ms, BARS_MAX)
    symbols = list(dict.fromkeys(s.symbol for s in sleeves))
    write_synthetic(home.path / "data" / "synthetic", symbols, timeframe, bar_ms, FROM_MS, bars, home.desk.worker.seed)
    home.__dict__.pop("catalog", None)  # it was read before the files existed
    return True
