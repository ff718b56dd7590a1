"""Fills a tool's typed arguments from a sentence's slots. Called by plans.py: a question in, arguments out.

An argument is filled by its name and type: `sleeve`, `since`, `run_id`, `by` and so on from the slot of that kind, a Literal
from the words that say it (words.toml), so that a new tool needs no code here. What is not named stays null.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from agents.offline.account import tokens_of
from agents.offline.choose import SPOKEN_RUN
from agents.offline.drafts import changes_of
from agents.offline.entries import choices_of
from agents.offline.steps import Question
from agents.offline.words import ASKING, PATTERNS, SAID, STOP, says
from engine.clock import utc
from tools.common import render
from tools.common.contract import Tool

DESKWARD = PATTERNS["fill.deskward"]
EXTREMES = 5  # the worst or best trades, when no number says how many
_KEPT = ("kinds", "exit", "outcome", "rule", "what", "state", "kind", "only_open")  # of a call that goes on with one of its tool
_YES = ("gap", "only_open")
_FREE = ("about", "query", "term", "word", "name", "what", "key")  # filled with the words that nothing else uses


def _of_kind(q: Question, *kinds: str) -> str | None:
    return next((i for i in q.slots.ids if i.split("-")[0] in kinds), None)


def _sleeve(q: Question) -> str | None:
    found = q.sleeve()
    return found.name if found else None


def _strategy(q: Question) -> str | None:
    """The strategy that is named; that of the sleeve named where the tool takes no sleeve."""
    found = q.sleeve() if q.entry is not None and not q.entry.takes("sleeve") else None
    return q.slots.strategy or (found.strategy if found else None)


def speaks_of_run(text: str) -> bool:
    """Whether a stored run is spoken of, and not beside the desk: `our last run`."""
    return SPOKEN_RUN.search(text) is not None and re.search(r"\b(?:desk|live|paper)\b", text) is None


def _subject(q: Question) -> str | None:
    """The run that is named, or that the thread was about; null, the desk, when the sentence speaks of the desk."""
    named = bool(q.slots.handles) or any(i.startswith("r-") for i in q.slots.ids) or speaks_of_run(q.slots.text)
    shown = [result for result in q.results() if result.name != "calc"]
    last, own = next(reversed(shown), None), q.slots.places.keys() & {"sleeves", "symbols", "strategies"}
    goes_on = last is not None and str(last.args.get("subject", "")).startswith("r-") and not own
    return q.run_id() if named or not ((q.slots.sleeves and not goes_on) or DESKWARD.search(q.slots.text)) else None


def _side(q: Question) -> str | None:
    """The one side that is named, here or in the question that this one goes on with."""
    both = all(re.search(rf"\b{side}s?\b", q.slots.text) for side in ("long", "short"))
    return None if both else q.slots.side


def _until(q: Question) -> str | None:
    return q.slots.span.end or ("until monday 00:00" if "weekend" in (q.slots.lasting or "") else q.slots.lasting)


def _ends(q: Question) -> str | None:
    """The end of what is proposed; `say 9am`: a clock alone, which `ahead` reads as the next time that it strikes."""
    clock = (
        re.search(r"(?<![\d:])\d{1,2}:\d\d", q.slots.text)
        if (q.slots.span.at or q.slots.span.end) and not re.search(r"\d-\d\d", q.slots.text)
        else None
    )
    return f"until {clock[0]}" if clock else _until(q) or q.slots.span.at


def end_of(q: Question) -> str | None:
    """The end of a span of bars: `the last 30 days` end now, at the desk's time, not with the data."""
    now = utc(q.words.desk_ms).removesuffix("Z").replace(" ", "T") if since_now(q) and q.words.desk_ms else None
    return _until(q) or now


def since_now(q: Question) -> bool:
    """Whether the window goes on until now: counted back from it, or a begin alone, `since january`."""
    return q.slots.span.to_now or bool(q.slots.span.start and re.search(r"\bsince\b", q.slots.text))


FILLERS: Mapping[str, Callable[[Question], Any]] = {
    "sleeve": _sleeve,
    "symbol": lambda q: q.slots.symbol,
    "strategy": _strategy,
    "venue": lambda q: q.slots.venue,
    "timeframe": lambda q: q.slots.timeframe,
    "series": lambda q: q.slots.timeframe,
    "since": lambda q: q.slots.span.at or q.slots.span.start,
    "start": lambda q: q.slots.span.start or q.slots.span.at,
    "until": _until,
    "end": end_of,
    "ends": _ends,
    "at": lambda q: q.slots.span.at or q.slots.span.start,
    "run_id": lambda q: q.run_id(),
    "subject": _subject,
    "side": _side,
    "worst": lambda q: (q.slots.count or EXTREMES) if q.slots.which == "worst" and not q.slots.by else None,
    "best": lambda q: (q.slots.count or EXTREMES) if q.slots.which == "best" and not q.slots.by else None,
    "outcome": lambda q: q.slots.outcome,
    "rule": lambda q: (says("fill.rule", q.slots.text) or [None])[0],
    "event_id": lambda q: _of_kind(q, "d", "p", "j"),
    "alert_id": lambda q: _of_kind(q, "al"),
    "proposal_id": lambda q: next((i for i in q.slots.ids if "-" in i and not re.match(r"(?:r|d|j|p|al)-\d", i)), None),
    "cid": lambda q: next(iter(re.findall(r"\bnd[a-z0-9]{4}\d{8}[A-Z]\d\d\b", q.raw)), None),
    "window": lambda q: next((i for i in q.slots.ids if re.fullmatch(r"w\d+", i)), None),
    "number": lambda q: q.slots.number if q.slots.number is not None else "best" if q.slots.which == "best" else "worst",
    "version": lambda q: q.slots.version,
    "of": lambda q: (q.slots.span.start or "")[:10] or None,
    "days": lambda q: int(found[1]) if (found := re.search(r"\b(\d{1,3}) ?days?\b", q.slots.text)) else None,
    "n": lambda q: q.slots.count,
    "limit": lambda q: q.slots.count,
    "changes": lambda q: changes_of(q.slots.common) or None,
    "guard": lambda q: re.sub(r"\btrail\w*( stops?)?\b", "trail", m[1]) if (m := says("slots.fires", q.slots.text)) else None,
    "fills": lambda q: q.slots.fills,
    "funding": lambda q: q.slots.funding,
    "rationale": lambda q: f"Asked by a person: {render.one_line(q.raw, 200)!r}.",
    **dict.fromkeys(("percent",), lambda q: None if q.slots.percent is None else round(q.slots.percent * 100, 6)),
    **dict.fromkeys(("move_frac", "shock_frac", "change_frac", "frac", "move"), lambda q: q.slots.percent),
}


def arguments(q: Question) -> dict[str, Any]:
    """The arguments of the entry's tool that the question names."""
    tool = q.chosen.tool
    found = {name: value_of(q, tool, name) for name in tool.args.model_fields}
    found |= {name: q.before.get(name) for name in _KEPT if name in found and found[name] is None}
    if str(found.get("subject") or "").startswith("r-"):
        found |= {name: None for name in ("sleeve", "symbol") if name in found}  # of a run, whose sleeves have other names
    return {name: value for name, value in found.items() if value is not None}


def value_of(q: Question, tool: Tool, name: str) -> Any:
    """One argument's value; None when the question does not name it."""
    choices = choices_of(tool, name)
    if name in ("by", "unit") and choices:
        beside = [by for by in choices if len(said_of(q, tool, by)) > 1]  # longs against shorts: by side
        reasons = ("rule",) if "exit" in q.slots.by and "exit" not in choices else ()
        return next((by for by in (*q.slots.by, *beside, *reasons) if by in choices), None)
    if choices and name not in FILLERS:
        said = said_of(q, tool, name)
        learned = q.slots.closed.get(name)
        said = [learned] if learned in choices and learned is not None and len(said) < 2 else said
        many = "list" in str(tool.args.model_fields[name].annotation)
        return (said or None) if many else said[0] if len(said) == 1 else None
    if name in _YES:
        return True if q.slots.closed.get(name) else None
    if name in FILLERS:
        value = FILLERS[name](q)
        return value if not choices or value in choices else None
    return free_words(q) if name in _FREE else None


def said_of(q: Question, tool: Tool, name: str) -> list[str]:
    """The words of an argument's choices that the sentence says; none for an argument that the tool lacks."""
    return [choice for choice in choices_of(tool, name) or () if is_said(choice, q)] if name in tool.args.model_fields else []


def is_said(choice: str, q: Question) -> bool:
    """Whether a word that an argument may be stands in the sentence, in one of the ways to say it."""
    said = "|".join(map(re.escape, SAID.get(choice, (choice, choice.replace("_", " "), f"{choice}s"))))
    whole = rf"(?<![\w-])(?<!journal )(?<!log )(?<!trailing )(?:{said})(?![\w-])(?! \w+ing\b)"  # `stop trading`: no exit
    return re.search(whole, q.slots.text) is not None


def free_words(q: Question) -> str | None:
    """The words of the sentence that carry something, in order: what a search or a page is asked by."""
    words = [t.word for t in tokens_of(q.slots) if t.word not in STOP and t.word not in ASKING and t.slot != "span"]
    return " ".join(words)[:120] or None
