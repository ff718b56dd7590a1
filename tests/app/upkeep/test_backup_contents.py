"""What of a home goes into its backup."""

from pathlib import Path

from app.home.home import open_home
from app.upkeep import contents
from app.upkeep.backup import make_backup
from engine.watch import canaries

NOW = 1_760_000_000_000


def test_what_the_watch_of_canaries_writes_is_no_stranger(own_home: Path, tmp_path: Path) -> None:
    """It is made again from the journal; a file that a person laid there is named."""
    home = open_home(NOW)
    for name in (canaries.STATUS, canaries.ERRORS, "notes.txt"):
        (own_home / name).write_text("{}")
    assert make_backup(home, tmp_path / "b.zst", NOW)["left_out"] == ["notes.txt"]


def test_recorded_books_are_copied(own_home: Path) -> None:
    """A day of level 2 cannot be made again; a part that is being written is a draft, and the lock beside it none of it."""
    day = own_home / "level2" / "okx" / "BTC-USDT" / "okx_BTC-USDT_perp_20260301_l2.parquet"
    day.mkdir(parents=True)
    for path in (day / "part-1-2.parquet", day / ".part-3-4.parquet.77", own_home / "level2" / ".okx_BTC-USDT_perp.lock"):
        path.write_text("x")
    copied = [part.name for part in contents.parts(own_home) if part.name.startswith("level2")]
    assert copied == ["level2/okx/BTC-USDT/okx_BTC-USDT_perp_20260301_l2.parquet/part-1-2.parquet"]
    assert "level2" not in contents.strangers(own_home)
