"""Hashes of passphrases and tokens that cost a test little: the same scrypt with N = 2, a thousandth of its CPU and memory.

tests/conftest.py puts `cheap` in the place of the function of app.people.identity. What another process reads as well, and the
test of the cost itself, take `costly`.
"""

import hashlib

from app.people import identity

costly = identity._scrypt


def cheap(word: str, salt: bytes) -> str:
    """A hash of the same length, by salt and word alone."""
    return hashlib.scrypt(word.encode("utf-8"), salt=salt, n=2, r=8, p=1, dklen=32).hex()
