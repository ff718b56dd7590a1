"""The rules of the desk's ledger as a maker has them. Called by account.py, fold.py, funding.py and app/processes/maker.py."""

from engine.core.state import Rules
from engine.l2.tape import Scale


def rules_of(scale: Scale) -> Rules:
    """A sleeve's rules without stops, trails or sizing: a maker has none of them."""
    blank = {name: 0 if kind is int else 0.0 for name, kind in Rules.__annotations__.items() if name not in Rules._field_defaults}
    return Rules(**blank)._replace(layers_max=1, shorts=1, lot_size=10.0**-scale.lot_digits)  # type: ignore[arg-type]
