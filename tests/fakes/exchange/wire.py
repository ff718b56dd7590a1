"""What passes between a client and a local venue, as values: both the sockets and the virtual clock carry these."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One REST request as it arrived: `target` is the path with its query, `body` the text that was signed."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in upper case
    body: str = ""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """Fields of the query."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def fields(self) -> Any:
        """The body as JSON, or the query of a GET. Raises ValueError."""
        return self.query if self.method == "GET" else json.loads(self.body or "{}")


@dataclass(frozen=True)
class Answer:
    """One REST answer. `never`: the client waits for it until its own limit."""

    text: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    never: bool = False


NO_ANSWER = Answer("", never=True)


def json_answer(body: Any, status: int = 200, **headers: str) -> Answer:
    """An answer of JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(body, separators=(",", ":")), status, {"Content-Type": "application/json", **named})
