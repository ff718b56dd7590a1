"""A home that stays open for days: its catalog is read anew after a file was added to its data. Called by app/api, app/mcp."""

from dataclasses import replace

from app.home.home import Home


class CurrentHome:
    """An opened home, as it is now."""

    def __init__(self, opened: Home) -> None:
        self._opened, self._seen = opened, _stamps(opened)

    @property
    def home(self) -> Home:
        """The home; with a new catalog when its data has changed."""
        stamps = _stamps(self._opened)
        if stamps != self._seen:
            self._seen, self._opened = stamps, replace(self._opened)
        return self._opened


def _stamps(home: Home) -> tuple[tuple[str, int], ...]:
    """Modification times of the home's data folders."""
    top = home.path / "data"
    folders = [top, *(p for p in top.iterdir() if p.is_dir())] if top.is_dir() else []
    return tuple((str(p), p.stat().st_mtime_ns) for p in sorted(folders))
