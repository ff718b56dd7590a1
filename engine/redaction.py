"""What looks like a key is taken out of a text before anybody keeps or sends it. Called by agents, tools and the Slack sink."""

import re
from collections.abc import Collection

# shapes of keys that people paste into a chat by mistake: never kept in a journal. The last three are of venues: 48 letters and
# digits or more (Binance), 30 or more with small and capital letters and digits (Bybit), 32 hexadecimal digits in capitals (OKX)
_SECRET = re.compile(
    r"(sk-[\w-]{16,}|(?:xox[a-z]|xapp)-[\w-]{10,}|gh[a-z]_\w{20,}|AKIA[A-Z0-9]{12,}|Bearer\s+[\w.~+/=-]{16,}"
    r"|\b[A-Za-z0-9]{48,}\b|\b(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])(?=[A-Za-z]*\d)[A-Za-z0-9]{30,}\b"
    r"|\b(?=[A-F]*\d)(?=\d*[A-F])[0-9A-F]{32}\b)"
)


def redacted(text: str, hashes: Collection[str] = ()) -> str:
    """`text` with everything that looks like a key replaced. Run ids are shorter and stay; of hashes those that our own code
    computed, which its caller names: 64 hexadecimal digits are a private key elsewhere.
    """
    return _SECRET.sub(lambda found: found[0] if found[0] in hashes else "[secret]", text)
