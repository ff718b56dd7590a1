"""The kinds of short sentences that are of the turn above, tried one after the other. Called by understand.py."""

from typing import Any

from agents.offline import asked_again, carry, correct, listed
from agents.offline.slots import Slots
from agents.offline.turn_above import TurnAbove

KINDS = (*asked_again.KINDS, *listed.KINDS, *carry.KINDS, *correct.KINDS)


def first(read: Slots, above: TurnAbove) -> Any:
    """What the first kind that fits finds: a sentence that names its subject, a part, a call, a fixed text; None for none."""
    return next((found for kind in KINDS if (found := kind.of_it(read, above)) is not None), None)
