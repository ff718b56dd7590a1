"""Text of others and spans of time, for a terminal. Called by the command modules beside it."""

import unicodedata


def shown(text: object) -> str:
    """Outside text for a terminal: control, bidirectional and invisible characters spelled out, one line."""
    return "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else ascii(c)[1:-1] for c in str(text))


def left(expires_ms: int, now_ms: int) -> str:
    """Time until expiry: `expires in 3 h 12 min`."""
    minutes = max(0, expires_ms - now_ms) // 60_000
    return f"expires in {minutes // 60} h {minutes % 60} min" if expires_ms > now_ms else "expired"
