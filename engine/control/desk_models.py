"""Which versions of stored models the desk reads: what a backtest takes that names none. Called by app/jobs and notebooks."""

from pathlib import Path

from sqlalchemy import Engine

from engine.control.config import active
from engine.control.model_pins import newest_named
from engine.errors import DeskError


def models_in_force(engine: Engine, home: Path) -> dict[str, str]:
    """Model -> version, of the configuration in force; none where no configuration can be read."""
    try:
        return newest_named(active(engine, home).config.sleeves)
    except DeskError:
        return {}
