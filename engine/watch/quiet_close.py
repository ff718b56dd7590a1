"""What a close without a row of its own was: a position held, a refusal that lasts, an order that rests, or nothing at all.

Called by `journal explain` and the tool explain_event. Turns a sleeve's part of that close's mark and its signal into one
sentence.
"""

from engine.book.bodies import SleeveBody
from engine.clock import utc


def quiet_close(body: SleeveBody, side: int | None) -> str:
    """Verdict first; `side`: of the signal, None when it is not known."""
    signal = {1: "long signal", -1: "short signal", 0: "no signal"}.get(side if side is not None else 9, "signal not known")
    guard, position = body["guard"], body.get("position")
    if guard["refused_by"] is not None:
        return f"no trade: still refused by {guard['refused_by']}, since {utc(guard['refused_ms'])}; {signal}"
    if position is not None:
        return f"held {position['side']} {position['quantity']:g}, nothing to change; {signal}"
    if "order" in body:
        return f"no trade: the {body['order']['side']} entry order of {body['order']['lots']:,} lots rests; {signal}"
    if body.get("paused"):
        return f"no trade: the sleeve is paused; {signal}"
    return f"no trade: {signal}, no position, nothing refused"
