"""What a tool is: the types shared by tools/catalog.py, every tool, agents/ and app/cli/tool.py.

A tool is a plain function `tool(ctx, args) -> ToolResult`; `@tool(name, effect)` names it and reads the type of its
arguments. Who may call it is set in tools/catalog.py only.

Named facts. A result that has numbers carries facts with a reference of two parts, `r1.sharpe`: the handle of what
the fact is about and the metric. A model writes `{r1.sharpe}` and code renders value, unit and link. `ToolContext.handle`
assigns handles, one per run, sleeve or event id; the same id keeps its handle as long as `handles` lives (agents store
it with the thread).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, field_validator

Role = Literal["developer", "operator", "advisor"]
ROLES: tuple[Role, ...] = get_args(Role)
Value = float | int | str | bool | None

# how a fact's number reads: frac 0.12 is 12 %; usd money of the quote currency; price quote units for one base unit;
# ratio a pure number (Sharpe); ms an instant in UTC; duration_ms a length of time; text a word, never a number
UNITS = ("frac", "usd", "price", "bps", "ratio", "bars", "count", "base", "days", "ms", "duration_ms", "text")

TEXT_MAX = 300  # characters of one argument; what comes from outside is longer than that only by intent
RESULT_TEXT_MAX = 6000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def clean(text: object, length: int = TEXT_MAX) -> str:
    """Outside text as data: control and direction-changing characters dropped, at most `length` characters."""
    bare = _CONTROL.sub("", str(text)).encode("utf-8", "replace").decode()
    return bare if len(bare) <= length else bare[: length - 1] + "…"


class Effect(StrEnum):
    """What a tool can write: nothing; job and run rows; a proposal row or an inbox note. No WRITE exists."""

    READ = "READ"
    COMPUTE = "COMPUTE"
    PROPOSE = "PROPOSE"


class Evidence(NamedTuple):
    """Where a fact comes from: a run, an event, a proposal, a configuration version, a data file, a page, an alert, a watch."""

    kind: Literal["run", "event", "proposal", "config", "data", "page", "job", "calc", "desk", "alert", "watch"]
    id: str


class Fact(NamedTuple):
    """One number (or word) with a receipt. `ref` is `handle.metric` and unique among the facts of a thread.

    `window`: the span of time that it is about, where the same metric has others. `listed`: it is one of a long table, where a
    number typed by hand would meet some fact by chance: only its reference may stand in an answer.
    """

    ref: str
    subject: str
    metric: str
    value: Value
    unit: str
    evidence: Evidence
    window: str = ""
    listed: bool = False


class Table(NamedTuple):
    """Rows for a person. A cell is text, a number, or a reference in braces (`{r1.sharpe}`) that code renders."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


Status = Literal["ok", "started", "no_data", "refused", "failed"]


class ToolResult(NamedTuple):
    """What a call gives back. `text` is for the model and for people: one to few sentences, numbers as references.

    Status: ok; started (a job runs, its id in `job`: call again with the same arguments for the answer); no_data (it
    was looked for and is not there); refused (a rule of the desk, `text` says which); failed (something broke).
    """

    status: Status
    text: str
    facts: tuple[Fact, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    table: Table | None = None
    data: Mapping[str, Any] = {}
    job: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as plain JSON values, keys in a fixed order."""
        return {
            "status": self.status,
            "text": self.text,
            "facts": [f._asdict() | {"evidence": f.evidence._asdict()} for f in self.facts],
            "evidence": [e._asdict() for e in self.evidence],
            "table": None if self.table is None else self.table._asdict(),
            "data": dict(self.data),
            "job": self.job,
        }


def no_data(text: str) -> ToolResult:
    """Nothing found: reported as such, never as an empty success."""
    return ToolResult("no_data", clean(text, RESULT_TEXT_MAX))


def refused(text: str) -> ToolResult:
    """Refused by a rule of the desk, which the text names."""
    return ToolResult("refused", clean(text, RESULT_TEXT_MAX))


class JobView(NamedTuple):
    """A job as a caller sees it. `result` is what the job's function returned, plain JSON values, when it is done."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float  # 0..1
    run_id: str | None
    error: str | None
    result: Mapping[str, Any] | None = None


class Jobs(Protocol):
    """The port to the job queue (app/jobs/queue.py). Kinds used here: `backtest` (-> run_id), `leaks`, `parity` (-> result)."""

    def submit(self, kind: str, args: Mapping[str, Any], *, thread: str | None, turn: str | None) -> str:
        """Queue a job; returns its id. A job whose cache key has a stored run is done at once."""

    def wait(self, job_id: str, timeout_s: float | None, progress: Callable[[float], None]) -> JobView:
        """Wait until the job ends or `timeout_s` seconds have passed (None: as long as it takes)."""

    def cancel(self, job_id: str) -> None:
        """End it; a finished job stays as it is."""


def _silent(_done: float) -> None: ...


def _unlimited(_effect: Effect) -> str:
    """No budget of its own."""
    return ""


@dataclass(slots=True)
class ToolContext:
    """What a call may reach, made anew for each turn by app/wiring.py (and by `nightdesk tool`).

    There is no way from here to an approval, a key, an order or a configuration. `desk_ms` is the desk's time (close of
    the last bar it decided on), `now_ms` the machine's; both are given, no tool reads a clock. `wait_s` is how long a
    COMPUTE call waits for its job before it returns `started`: 20 s in a turn, None (as long as it takes) where a
    person sits in front of a progress bar. `record` appends to the people journal and returns the event's id. `effects` and
    `over_budget` may narrow what a caller's role allows, never widen it.
    """

    engine: Any  # sqlalchemy.Engine
    home: Path
    catalog: Any  # engine.data.catalog.Catalog
    jobs: Jobs
    record: Callable[[str, Mapping[str, Any]], str]
    role: Role
    thread: str
    turn: str
    person: str
    desk_ms: int | None
    now_ms: int
    model: str = "none"  # which model asks; "none": a person at the command line
    canary: str = "none"  # how a change that does not say is watched: [canary] of desk.toml
    wait_s: float | None = 20.0
    progress: Callable[[float], None] = _silent
    handles: dict[str, str] = field(default_factory=dict)  # id of a thing -> its handle; kept with the thread
    facts: dict[str, Fact] = field(default_factory=dict)  # every fact shown in this thread by ref; calc reads them
    earlier_jobs: tuple[str, ...] = ()  # of the same call made before: they are its jobs, ended or not, and none is run again
    proposed: bool = False  # set by call() once a PROPOSE of this turn has gone through
    effects: tuple[Effect, ...] = tuple(Effect)  # which effects this caller was given at all
    over_budget: Callable[[Effect], str] = _unlimited  # why a call of an effect is refused now; empty when it is not

    def handle(self, letter: str, thing: str) -> str:
        """The short name of `thing` in this thread: the first run is r1, the second r2; a known one keeps its own."""
        key = f"{letter}:{thing}"
        if key not in self.handles:
            taken = sum(1 for known in self.handles if known.startswith(f"{letter}:"))
            self.handles[key] = f"{letter}{taken + 1}"
        return self.handles[key]


class Args(BaseModel):
    """Base of every tool's arguments: nothing unknown, numbers finite, text cleaned and short."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=4000)

    @field_validator("*", mode="before")
    @classmethod
    def clean_text(cls, value: object) -> object:
        return clean(value, 4000).strip() if isinstance(value, str) else value


class NoArgs(Args):
    """A tool that needs no arguments."""


A = TypeVar("A", bound=Args)


class Asked(NamedTuple):
    """How people ask for a tool in their own words; read by the planner without a model (agents/offline).

    `kind` parts what one tool is asked for in several ways ("limits" of the desk); sentences for each are in
    agents/offline/sentences. Each example is a test: the planner must choose this tool for it.
    """

    kind: str
    examples: tuple[str, ...] = ()


def asked_as(kind: str, examples: str) -> Asked:
    """An entry as a tool writes it down: its kind, and examples parted by semicolons."""
    return Asked(kind, tuple(part.strip() for part in examples.split(";") if part.strip()))


@dataclass(frozen=True, slots=True)
class Tool:
    """A named tool: what a model sees (`name`, `about`, the schema of `args`) and the function that does it."""

    name: str
    effect: Effect
    args: type[Args]
    about: str
    run: Callable[[ToolContext, Any], ToolResult]
    asked: tuple[Asked, ...] = ()

    def schema(self) -> dict[str, Any]:
        """The arguments as strict-safe JSON schema: no free-form objects, every field required, optional = nullable."""
        schema: dict[str, Any] = json.loads(schema_text(self.args))
        return schema


@cache
def schema_text(args: type[Args]) -> str:
    """The schema as JSON, made once: each takes pydantic half a millisecond, and every round of a turn shows a model a dozen."""
    return json.dumps(strict(args.model_json_schema()))


def tool(name: str, effect: Effect, *asked: Asked) -> Callable[[Callable[[ToolContext, A], ToolResult]], Tool]:
    """Make a Tool of `f(ctx, args)`; its docstring is what a model reads, its annotation the schema, `asked` what people say."""

    def name_it(f: Callable[[ToolContext, A], ToolResult]) -> Tool:
        args = list(get_type_hints(f).values())[1]
        assert issubclass(args, Args), f"{name}: args must be a subclass of Args"  # noqa: S101 - a programmer's error
        about = " ".join((f.__doc__ or "").split())
        assert about, f"{name}: a tool's docstring is its description"  # noqa: S101 - a programmer's error
        return Tool(name, effect, args, about, f, asked)

    return name_it


_DROPPED = (
    "title",
    "default",
    "format",
    "pattern",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "minimum",
    "maximum",
)  # enforced by pydantic; some formats reject them


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A pydantic schema made strict-safe: references inlined, nothing free-form, every property required.

    Raises ValueError for an object without declared properties: a model must not send what no code has named.
    """
    definitions = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, Sequence) and not isinstance(node, str):
            return [walk(part) for part in node]
        if not isinstance(node, Mapping):
            return node
        if "$ref" in node:
            return walk(definitions[node["$ref"].rsplit("/", 1)[1]])
        kept = {k: walk(v) for k, v in node.items() if k not in (*_DROPPED, "$defs", "properties", "required")}
        if kept.get("type") == "object":
            properties = node.get("properties", {})
            if not properties and kept.get("additionalProperties") is not False:
                raise ValueError("a free-form object cannot be an argument")
            if node is not schema:
                kept.pop("description", None)  # a part's own words are for readers of the code
            kept["properties"] = {name: walk(part) for name, part in properties.items()}
            kept["required"] = list(properties)
            kept["additionalProperties"] = False
        return _joined(kept)

    whole = walk(schema)
    assert isinstance(whole, dict)  # noqa: S101 - a schema is an object
    return whole


def _joined(node: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` of plain types as one list of types: a third of the size, and every strict mode takes it."""
    options = node.get("anyOf", ())
    if not options or any(set(option) - {"type", "enum"} or not isinstance(option.get("type"), str) for option in options):
        return node
    kept = {key: value for key, value in node.items() if key != "anyOf"}
    words = [word for option in options for word in option.get("enum", (None,) if option["type"] == "null" else ())]
    closed = all("enum" in option or option["type"] == "null" for option in options)
    types = [option["type"] for option in options]
    types = [name for name in types if name != "integer" or "number" not in types]  # a whole number is a number
    return kept | {"type": types} | ({"enum": words} if closed else {})


def make_facts(
    handle: str, subject: str, evidence: Evidence, values: Mapping[str, tuple[Value, str]], window: str = ""
) -> tuple[Fact, ...]:
    """Facts of one thing: metric -> (value, unit), about a window. A unit not in UNITS is a programmer's error."""
    for metric, (_, unit) in values.items():
        assert unit in UNITS, f"{metric}: unknown unit {unit}"  # noqa: S101 - a programmer's error
    return tuple(Fact(f"{handle}.{m}", subject, m, v, unit, evidence, window) for m, (v, unit) in values.items())


LONG_TABLE = 12  # rows: in a longer one a typed number stands for nothing
_CELL = re.compile(r"\{([A-Za-z]\w*\.[\w-]+)\}")


def marked(result: ToolResult) -> ToolResult:
    """The result with the facts of a long table marked as such: those of a metric that stands in several of its rows."""
    if result.table is None or len(result.table.rows) <= LONG_TABLE:
        return result
    cells = [ref for row in result.table.rows for cell in row if isinstance(cell, str) for ref in _CELL.findall(cell)]
    often = Counter(ref.partition(".")[2] for ref in cells)
    refs = {ref for ref in cells if often[ref.partition(".")[2]] > 1} - set(_CELL.findall(result.text))
    return result._replace(facts=tuple(fact._replace(listed=True) if fact.ref in refs else fact for fact in result.facts))


def cap_text(result: ToolResult) -> ToolResult:
    """The result with its text cleaned and capped: the last step before it is read."""
    return result._replace(text=clean(result.text, RESULT_TEXT_MAX))


__all__ = [
    "ROLES",
    "UNITS",
    "Args",
    "Asked",
    "Effect",
    "Evidence",
    "Fact",
    "JobView",
    "Jobs",
    "NoArgs",
    "Role",
    "Status",
    "Table",
    "Tool",
    "ToolContext",
    "ToolResult",
    "asked_as",
    "cap_text",
    "clean",
    "make_facts",
    "marked",
    "no_data",
    "refused",
    "strict",
    "tool",
]
