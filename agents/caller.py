"""The caller of a real model in one turn: reserves budget, stores requests and responses, streams checked sentences.

Made by agents/turns.py, used by agents/nodes.py. Every request's exact body is stored under `$NIGHTDESK_HOME/turns/TURN/` before
it is sent; `nightdesk journal explain TURN` shows it. None of them contains the key.
"""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from agents import spending
from agents.model import Caller, Prices, Usage
from agents.spending import Spend, SpendLimits
from agents.written_calls import hides_call
from engine.errors import DataError
from engine.redaction import redacted

FOLDER = "turns"
UNBROKEN_MAX = 4_000  # characters without the end of a sentence
_END = re.compile(r"[.!?](?=\s)|\n(?=\n|[-*#])|:(?=\s*\n)")


class TurnCaller(Caller):
    """The caller of one turn. `emit` reports an event; `checked` grounds a piece of text."""

    def __init__(self, engine: Engine, home: Path, turn: str, limits: SpendLimits, now_ms: Callable[[], int]) -> None:
        self.engine, self.turn, self.limits, self.now_ms = engine, turn, limits, now_ms
        self.folder = home / FOLDER / turn
        self.emit: Callable[[str, Mapping[str, Any]], None] = lambda _kind, _body: None
        self.checked: Callable[[str], str] = lambda text: text
        self._n, self._text, self._muted = 0, "", False
        self._held: tuple[int, float | None] = (0, 0.0)

    def begin_call(self, emit: Callable[[str, Mapping[str, Any]], None], checked: Callable[[str], str]) -> None:
        """Report through `emit`; show text as `checked` returns it."""
        self.emit, self.checked, self._text, self._muted = emit, checked, "", False

    @property
    def spend(self) -> Spend:
        """What the turn has cost so far."""
        return spending.of_turn(self.engine, self.turn)

    def report(self, kind: str, body: Mapping[str, Any]) -> None:
        """Report text sentence by sentence, checked. A retry discards the sentence in progress; attempt 0 is only a wait, so the
        sentence continues.
        """
        if kind != "text":
            if kind != "retrying" or body.get("attempt"):
                self._text, self._muted = "", False
            self.emit(kind, body)
            return
        if self._muted:
            return
        self._text += str(body["delta"])
        if (at := hides_call(self._text)) >= 0:  # a call written as text is run, not shown
            self._text = self._text[:at]
            self.flush()
            self._muted = True
        if len(self._text) > UNBROKEN_MAX:
            self.flush()
        while end := _END.search(self._text):
            whole, self._text = self._text[: end.end()], self._text[end.end() :]
            if whole.strip():
                self.emit("sentence", {"text": redacted(self.checked(whole))})

    def flush(self) -> None:
        """Report the last sentence."""
        if self._text.strip():
            self.emit("sentence", {"text": redacted(self.checked(self._text))})
        self._text = ""

    def sent(self, body: bytes) -> None:
        """Store a request. DataError when it cannot be stored: it is not sent then."""
        self._n += 1
        self._keep(f"{self._n:03d}-request.json.gz", body)

    def received(self, said: Any) -> None:
        """Store the provider's message verbatim."""
        self._keep(f"{self._n:03d}-response.json.gz", json.dumps(said, ensure_ascii=False, default=str).encode())

    def _keep(self, name: str, content: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.folder / name).write_bytes(gzip.compress(content, 6, mtime=0))
        except OSError as error:
            raise DataError(
                f"{self.folder} cannot be written: {error.strerror}", "free disk space: no request is sent before it is stored"
            ) from error

    def reserve(self, most: Usage, prices: Prices) -> None:
        """Reserve the most that a call can cost, or raise OverBudget."""
        tokens, usd = most.input_tokens + most.output_tokens, prices.cost_usd(most)
        spending.reserve(self.engine, self.turn, self.limits, tokens, usd, self.now_ms())
        self._held = (tokens, usd)

    def settle(self, used: Usage, prices: Prices) -> None:
        """Replace the reservation by the actual cost."""
        spending.settle(self.engine, self.turn, self._held, (used.input_tokens + used.output_tokens, prices.cost_usd(used)))
        self._held = (0, 0.0)


def kept_requests(home: Path, turn: str) -> list[dict[str, Any]]:
    """Every request of a turn and the provider's response, as stored: [{"file", "bytes", "body"}]."""
    found = []
    for path in sorted((home / FOLDER / turn).glob("*.json.gz")):
        content = gzip.decompress(path.read_bytes())
        found.append({"file": path.name.removesuffix(".gz"), "bytes": len(content), "body": json.loads(content)})
    return found
