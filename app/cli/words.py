"""Text of others and spans of time, for a terminal. Called by the command modules beside it."""

import unicodedata


def shown(text: object) -> str:
    """Outside text for a terminal: control, bidirectional and invisible characters spelled out, one line."""
    return "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else ascii(c)[1:-1] for c in str(text))
