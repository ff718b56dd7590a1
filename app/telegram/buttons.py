"""What a button of a Telegram card carries, and whether a click carries what we gave out. Called by line.py and actions.py.

64 bytes: the act, the proposal, the beginning of its diff's digest, and a seal: an HMAC under a key made of the bot's token,
over act, proposal, whole digest and chat. Clients can send any bytes for any message; without the token none makes a seal.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from typing import NamedTuple

ACTS = {"approve": "a", "reject": "r", "ack": "k"}
DATA = re.compile(r"([ark])\.(prop-\d{1,9}|al-\d{1,9})\.([0-9a-f]{8})\.([A-Za-z0-9_-]{22})")
NONE = "0" * 64  # the digest of what has none: an alert


class Button(NamedTuple):
    """A click, as it was read; nothing is verified yet."""

    act: str
    subject: str
    digest: str  # its first eight digits
    seal: str


class Seals:
    """Makes and compares the seals of one bot in one chat."""

    def __init__(self, token: str, chat: str) -> None:
        self._key = hmac.new(token.encode(), b"nightdesk buttons 1", hashlib.sha256).digest()
        self._chat = chat

    def data(self, act: str, subject: str, sha256: str = NONE) -> str:
        """What the button carries, at most 64 bytes."""
        return f"{ACTS[act]}.{subject}.{sha256[:8]}.{self._seal(ACTS[act], subject, sha256)}"

    def fits(self, button: Button, sha256: str = NONE) -> bool:
        """Whether we gave this button out, for exactly this diff, in this chat."""
        mine = self._seal(ACTS[button.act], button.subject, sha256)
        return button.digest == sha256[:8] and hmac.compare_digest(mine, button.seal)

    def _seal(self, act: str, subject: str, sha256: str) -> str:
        said = f"{act} {subject} {sha256} {self._chat}".encode()
        return urlsafe_b64encode(hmac.new(self._key, said, hashlib.sha256).digest()[:16]).decode().rstrip("=")


def read(data: object) -> Button | None:
    """A click's bytes; None for what no button of ours carries."""
    found = DATA.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        return None
    act = next(name for name, letter in ACTS.items() if letter == found[1])
    return Button(act, *found.groups()[1:])
