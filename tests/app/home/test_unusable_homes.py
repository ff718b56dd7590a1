"""A home that cannot be opened: one line that names what is in the way and what to do about it."""

import errno
import os
from pathlib import Path

import pytest

from app.home.home import open_home
from engine.errors import BadInput

NOW = 1_700_000_000_000


def test_an_unwritable_home_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the folder should be, and a place nobody can write to."""
    (tmp_path / "file").write_text("x")
    in_the_way = f"{tmp_path / 'file'} is a file, and a folder has to be there - set NIGHTDESK_HOME to a folder"
    nowhere = "the home /proc/nightdesk cannot be written: .* - set NIGHTDESK_HOME to a writable folder"
    found = {tmp_path / "file": in_the_way, tmp_path / "file" / "below": in_the_way, Path("/proc/nightdesk"): nowhere}
    for place, line in found.items():
        monkeypatch.setenv("NIGHTDESK_HOME", str(place))
        with pytest.raises(BadInput, match=f"^{line}$"):
            open_home(NOW)


@pytest.mark.parametrize("name", ["memory", "journal", "logs"])
def test_a_file_in_the_place_of_a_folder_is_named(own_home: Path, name: str) -> None:
    """It is no matter of rights or of room; moved away, the desk opens. So is a link that leads nowhere, and the other way round
    a folder in the place of a file."""
    home = open_home(NOW)
    (home.path / name).rename(home.path.parent / "kept")
    (home.path / name).write_text("notes")
    with pytest.raises(BadInput) as caught:
        open_home(NOW)
    path = home.path / name
    assert str(caught.value) == f"{path} is a file, and a folder has to be there - move it away: Nightdesk makes the folder"
    path.unlink()
    path.symlink_to("/nowhere")
    with pytest.raises(BadInput, match=f"^{path} is a link that leads to no folder, and a folder has to be there - move it away"):
        open_home(NOW)
    path.unlink()
    open_home(NOW)
    (home.path / "home.json").unlink()
    (home.path / "home.json").mkdir()
    with pytest.raises(BadInput, match=r"home\.json is a folder, and a file has to be there - move it away"):
        open_home(NOW)


def test_a_full_disk_says_so(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of another folder."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(own_home / "desk.toml"))

    monkeypatch.setattr("app.home.home.write_whole", full)
    with pytest.raises(BadInput, match=r"cannot be written: No space left on device - free disk space$"):
        open_home(NOW)
