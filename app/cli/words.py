"""Outside text made safe for a terminal. Called by the command modules beside it."""

import unicodedata


def shown(text: object) -> str:
    """Outside text on one line, with control, bidirectional and invisible characters escaped."""
    return "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else ascii(c)[1:-1] for c in str(text))
