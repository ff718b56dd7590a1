"""What words.toml has: its tables, and its patterns by name. Read once; words.py and clock_words.py build on it."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LISTS: Mapping[str, Any] = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
PATTERNS: Mapping[str, re.Pattern[str]] = {name: re.compile(pattern) for name, pattern in LISTS["patterns"].items()}
