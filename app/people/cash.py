"""Cash that a person declares to have put into or taken out of the desk's account, journaled under their name. Called by
app/cli/cash.py; summed by engine/watch/identity.py.

A sleeve's cash is fixed for the life of a home: declared cash reaches no sleeve, no size and no limit. It is what the account has
beside them, so that the sum of what the desk shows is the sum that the person has.
"""

from math import isfinite

from app.home.home import Home
from app.people.approvals import permit, record
from app.people.identity import Actor, reason_given
from engine.book.bodies import SIMULATED
from engine.errors import BadInput, Refused
from engine.watch.identity import declared_cash, identity

AMOUNT_MAX = 1e12  # quote units


def declare(home: Home, amount: float, reason: str, actor: Actor, now_ms: int) -> str:
    """Declare cash in (+) or out (-), quote units, in whole cents; the event's id. Raises Denied; BadInput for an amount that
    is none or a missing reason; Refused for more out than the account has, and where the account's own bills are read."""
    permit(home, actor, "cash", now_ms)
    if home.desk.traded is not None and home.desk.mode not in SIMULATED:
        what = f"transfers of the account {home.desk.account} are read from its venue's bills"
        raise Refused(what, "nothing is to be declared: see nightdesk cash list")
    why = reason_given(reason)
    if not isfinite(amount) or not 0.005 <= abs(amount) <= AMOUNT_MAX:
        raise BadInput(f"{amount:g} is not an amount", f"0.01 to {AMOUNT_MAX:,.0f}")
    if abs(amount - round(amount, 2)) > 1e-6:
        raise BadInput(f"{amount:,.4f} has parts of a cent", "declare whole cents, as the account books them")
    if not why:
        raise BadInput("cash needs a reason", "say where it came from or went: --reason TEXT")
    found = identity(home.path)
    beside = sum(declared_cash(home.path))
    has = beside + (found.equity if found is not None else 0.0)
    if amount < 0 and has + amount < 0:
        raise Refused(f"{-amount:,.2f} is more than the account has by the desk's books, {has:,.2f}", "check the amount")
    return record(home, "cash", {"amount": round(amount, 2), "reason": why, "actor": actor.as_json()}, now_ms)
