"""What of a home goes into its backup."""

from pathlib import Path

import pytest

from app.home.home import open_home
from app.upkeep import contents
from app.upkeep.backup import make_backup
from engine.errors import BadInput
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


@pytest.mark.parametrize("where", ["runs/b.zst", "b.zst", "reports/../b.zst", "../to-home/runs/b.zst"])
def test_no_backup_is_written_into_the_home(own_home: Path, tmp_path: Path, where: str) -> None:
    """It would be lost with what it is a copy of, and each one would have those before it, by any path."""
    home = open_home(NOW)
    (tmp_path / "to-home").symlink_to(own_home)
    for name in ("runs", "reports"):
        (own_home / name).mkdir(exist_ok=True)
    with pytest.raises(BadInput, match="it would be lost with it"):
        make_backup(home, own_home / where, NOW)
    assert not list(own_home.rglob("*.zst"))
