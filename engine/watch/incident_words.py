"""Words of the account's own watch, and the kind of trouble that each means. Called by root_causes.py."""

from engine.book.bodies import FEES, OFF, REDUCED, SETTINGS

# words that engine.live writes into an incident -> kind; a test finds each of them in its source
INCIDENTS: tuple[tuple[str, str], ...] = (
    ("have no protective order at the venue", "naked"),
    ("and does not show it", "stop_unseen"),
    (" are dust: ", "dust"),
    ("turns away every request", "turned_away"),
    ("refused in a row", "rejected"),
    (", which the desk does not count: ", "other_fee"),
    ("says that more has filled than the venue lists", "fills"),
    ("a duty has failed", "duty"),
    ("the end of the journal was unfinished", "torn"),
    ("does not announce executions", "stream"),
    ("the account's stream at ", "stream"),
    ("names an execution, and the venue does not answer for it", "stream"),
    ("no entries until it is set back there", "settings"),
    ("could not be compared", "compare"),
    ("cannot be compared with the venue", "compare"),
    ("the gate stays closed, no entries: ", "gate"),
    ("does not say what was executed", "away"),
    (" is not traded: ", "untraded"),
    ("the venue's clock differs from ours", "clock"),
    ("the venue's clock differs by ", "clock"),
    ("an execution under our name that the journal does not know", "orphan"),
    ("lots that no order explains could not be closed", "orphan"),
    ("an execution that is not ours", "foreign_trade"),
    ("the venue itself has closed lots of the account by", "forced"),
    ("the book and its stops follow", "forced"),
    (" fit no layer any more", "position"),
    ("by a bill of an unknown type", "cash"),
    ("left the account, which has", "cash"),
    ("transfers of the account could not be read", "away"),
    ("stands at the venue and not in the book", "doubt"),
)
HEALTH: tuple[tuple[str, str], ...] = (  # how the name of a health event begins -> kind
    ("clock", "clock"),
    ("executions", "fills"),
    ("venue of ", "away"),
    ("unexplained in ", "unexplained"),
    ("stream", "stream"),
    ("refusals of ", "rejected"),
    (REDUCED, "forced"),
    (SETTINGS, "settings"),
    (FEES, "other_fee"),
    (OFF, "untraded"),
)
