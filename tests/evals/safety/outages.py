"""S9: an endpoint that is busy, broken, silent or mad, over real connections to a local server: when is the person told, when
does the offline model answer, what did it cost?

Whole turns on the desk of scene.py, by each wire format. Times are by the wall clock of this machine; silence has the patience
that a user's endpoint has, once, and three seconds elsewhere, since waiting proves nothing more.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agents import turns
from agents.endpoints import PATIENCE_S, Endpoint
from agents.formats.model import EndpointModel
from agents.model import Prices
from tests.evals.safety.scene import PERSON, Scene, begun
from tests.fakes.model_server import Fail, Hang, ModelServer, Raw, Say, Step

KEY = "sk-canary-0a1b2c3d4e5f6a7b8c9d"
FORMATS = ("chat", "responses", "json")
PRICES = Prices(1.0, 2.0)
TOLD_S, ANSWERED_S = (
    2.0,
    2.0,
)  # what is wanted: until the person reads that it waits or tries again, and from the fall to the answer
LASTING: Mapping[str, Step] = {
    "429": Fail(429, "slow down", {"retry-after": "60"}),
    "500": Fail(500, "oops"),
    "503": Fail(503, "overloaded"),
    "401": Fail(401, f"bad key {KEY}"),
    "garbage JSON": Raw(b"{nonsense"),
    "a page of HTML": Raw(b"<html>bad gateway</html>", "text/html"),
    "nothing": Raw(b""),
    "an empty answer": Say(""),
    "cut off": Say("half an ans", cut=True),
    "an error in the stream": Say("half an ans", error="upstream is overloaded"),
    "silence": Hang(600),
    "silence with comments": Hang(600, comments=True),
}
NEVER_AGAIN = ("429", "401")  # a minute's wait is not waited for, a wrong key does not get better: no second try is said
SOON_S = 3.0  # of silence, in place of what a user's endpoint has


class Outage(NamedTuple):
    """One turn: seconds from the first request until the person read that it waits or tries again (None: never), from the fall to
    the answer, and in all.
    """

    what: str
    api_format: str
    told_s: float | None
    answered_s: float
    all_s: float
    offline: bool  # the offline model answered and said so
    leaked: bool  # the key is in what a person reads
    cost_usd: float
    calls: int


def outages(folder: Path, lasting: Mapping[str, Step] = LASTING, patience_s: float = PATIENCE_S) -> Iterator[Outage]:
    """Each trouble by each format; the last one is silent for as long as a user's endpoint may be."""
    scene = begun(folder)
    for what, step in lasting.items():
        for api_format in FORMATS:
            yield _turn(scene, what, api_format, step, SOON_S if isinstance(step, Hang) else patience_s)
    yield _turn(scene, f"silence, {patience_s:g} s", "chat", Hang(600), patience_s)
    yield _turn(scene, "one 503, then an answer", "chat", (Fail(503, "overloaded"), Say("Nothing to report.")), patience_s)
    scene.office.engine.dispose()


def _turn(scene: Scene, what: str, api_format: Any, step: Any, patience_s: float) -> Outage:
    asked_s = list[float]()

    def answering(one: Step) -> Any:
        return lambda _body: (asked_s.append(time.monotonic()), one)[1]

    steps = step if isinstance(step, tuple) else (step,)
    with ModelServer(*map(answering, steps), key=KEY) as server:
        given = {"context_tokens": 100_000, "patience_s": patience_s, "prices": PRICES, "key_env": "TEST_KEY"}
        scene.office.model = EndpointModel(Endpoint("test", server.url, "small", api_format=api_format, **given), KEY)
        begun_s, at = time.monotonic(), dict[str, float]()
        for event in turns.ask(scene.office, "operator", "how is the desk?", PERSON):
            at.setdefault(event["kind"], time.monotonic())
            answer = event
        calls = len(server.posts)
    ended = time.monotonic()
    text = str(answer["answer_md"])
    return Outage(
        what,
        api_format,
        at["retrying"] - asked_s[0] if "retrying" in at else None,
        ended - at.get("notice", ended),
        ended - begun_s,
        bool(answer["model"]["offline"]) and "did not answer" in text,
        KEY in text,
        float(answer["usage"]["cost_usd"] or 0.0),
        calls,
    )


def outages_table(found: Sequence[Outage]) -> dict[str, Any]:
    """Counts and worst times of a run; `wrong`: each turn that was not as wanted."""
    lasting = [one for one in found if "then an answer" not in one.what]
    wrong = [f"{one.what} by {one.api_format}: no offline answer" for one in lasting if not one.offline]
    wrong += [f"{one.what} by {one.api_format}: the key is shown" for one in found if one.leaked]
    wrong += [
        f"{one.what} by {one.api_format}: a second try was not said"
        for one in found
        if one.told_s is None and one.what not in NEVER_AGAIN
    ]
    wrong += [
        f"{one.what} by {one.api_format}: answered after {one.answered_s:.1f} s" for one in lasting if one.answered_s > ANSWERED_S
    ]
    told = [one.told_s for one in found if one.told_s is not None]
    wrong += [f"{one.what} by {one.api_format}: said after {one.told_s:.1f} s" for one in found if (one.told_s or 0.0) > TOLD_S]
    return {
        "turns": len(found),
        "wrong": wrong,
        "told_s": max(told, default=0.0),
        "answered_s": max((one.answered_s for one in lasting), default=0.0),
        "longest_s": max((one.all_s for one in found), default=0.0),
        "cost_usd": sum(one.cost_usd for one in found),
        "calls": sum(one.calls for one in found),
    }
