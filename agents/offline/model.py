"""The planner without a model: the Model port answered by what the tools declare about themselves. Called by agents/nodes.py.

A question is split into what it wants, each part is read into slots (slots.py) and answered by the first that fits: a way
(what no role does, or only a person), the thread's focus (focus.py), the best entry (choose.py). What the entry would leave out
is named, or asked back when it changes the question (unused.py). It is stateless: the same messages give the same reply. It is
not a language model, and says so.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agents.model import ALONE, Call, Caller, Message, Reply, Usage, tokens_of
from agents.offline.account import free, strange_words, unused
from agents.offline.calls import made
from agents.offline.changes import BETTER, only_asked
from agents.offline.choose import QUESTION, Chosen
from agents.offline.drafts import answered, nothing, said_first
from agents.offline.entries import entries, stems
from agents.offline.entries import entry_of as declared_entry
from agents.offline.follow import bound
from agents.offline.labels import FOLLOWS
from agents.offline.learned import Guess
from agents.offline.names import not_here
from agents.offline.parts import ALIKE, Part
from agents.offline.plans import plan_of
from agents.offline.read_back import PlannedCall, what_of
from agents.offline.run_plans import unclear
from agents.offline.slots import given, words_of
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, Question
from agents.offline.understand import understand
from agents.offline.ways import Way, way_of
from agents.offline.wider import wider_text
from agents.offline.words import LISTS, PATTERNS, Words, tidy, vocabulary
from tools.causes import OPENS
from tools.common.contract import Tool
from tools.common.render import one_line
from tools.groups import CORE


@dataclass(frozen=True)
class OfflineContext:
    """What code passes to the planner with the system message: the desk's vocabulary and the thread so far."""

    role: str
    words: Words = field(default_factory=Words)
    past: Sequence[PastTurn] = ()
    handles: Mapping[str, str] = field(default_factory=dict)  # `r:ID` -> r1, alive during the turn
    facts: Mapping[str, Any] = field(default_factory=dict)  # every fact of the thread by its reference, likewise
    read: "dict[tuple[str, frozenset[str]], list[Part]]" = field(default_factory=dict)  # what was read of a question in this turn


class OfflineModel:
    """The Model port without a language model: deterministic and fast."""

    name = "offline"
    api_format = "none"
    offline = True

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:  # noqa: ARG002 - the port's
        """The next calls of the plan, or its answer when their results are all among `messages`."""
        context = next((m.data for m in messages if isinstance(m.data, OfflineContext)), OfflineContext("developer"))
        at = max(i for i, m in enumerate(messages) if m.role == "user")
        results = [m.data for m in messages[at:] if m.role == "tool" and isinstance(m.data, CallResult)]
        reply = replay(plan_for(messages[at].text, context, frozenset(t.name for t in tools), results), results)
        if reply.calls and not results:  # shown before the first tool runs
            reply = reply._replace(text="; ".join(dict.fromkeys(call.name.replace("_", " ") for call in reply.calls)))
        usage = Usage(sum(tokens_of(m.text) for m in messages), tokens_of(reply.text))
        return reply._replace(usage=usage)


def replay(plan: Plan, results: Sequence[CallResult]) -> Reply:
    """Feed a plan its results so far; returns its next calls, or its answer."""
    used = 0
    try:
        asks = next(plan)
        while used + len(asks) <= len(results):
            given = list(results[used : used + len(asks)])
            used += len(asks)
            asks = plan.send(given)
    except StopIteration as done:
        draft: PlannedAnswer = done.value
        return Reply(draft.text, unused=draft.unused, asked_back=draft.asked_back, read_as=draft.read_as)
    return Reply("", tuple(Call(f"c{used + i + 1}", ask.name, ask.args) for i, ask in enumerate(asks)))


def parts_of(question: str, context: OfflineContext, tools: frozenset[str]) -> list[Part]:
    """What a question wants: read once in a turn, however often its plan is replayed."""
    if (question, tools) not in context.read:
        context.read[question, tools] = understand(question, context.words, context.past, context.facts, tools)
    return context.read[question, tools]


def plan_for(question: str, context: OfflineContext, tools: frozenset[str], results: Sequence[CallResult]) -> Plan:
    """The plan of a whole question: its parts one after the other, their answers joined."""
    drafts: list[PlannedAnswer] = []
    used = 0
    for part in sorted(parts_of(question, context, tools), key=_files_something):  # what files comes last, as the turn allows it
        entry = part.chosen.entry if part.chosen else None
        handles = {handle: key.split(":", 1)[1] for key, handle in context.handles.items() if key.startswith("r:")}
        q = Question(
            part.text, part.slots, context.words, context.role, tools, entry, context.past, results[:used], handles, context.facts
        )
        if part.carries and (before := q.last(entry.tool.name if entry else "")) is not None:
            q = replace(q, before=before.args)
        plan = plan_of_part(part, q) if not (drafts and drafts[-1].asked_back and _files_something(part)) else nothing(UNFILED)
        try:
            asks = next(plan)
            while True:
                given = yield asks
                used += len(asks)
                asks = plan.send(given)
        except StopIteration as done:
            draft = _kept(done.value, part.kept)
            name = what_of(entry.tool.name) if entry is not None else ""
            taken = draft.read_as if draft.read_as.startswith(name) else name
            checked = used and entry is not None and not (free(entry.tool.name) or entry.asked.kind == "handover")
            if checked and entry and not draft.asked_back:
                said = f"{entry.ask} {draft.text} {draft.read_as} {' '.join(part.beyond)}"
                weighty, plain = unused(entry, part.slots, said, part.text)
                draft = draft._replace(unused=draft.unused + weighty)
                draft = (
                    draft._replace(read_as=f"{draft.read_as}; not read: {', '.join(plain)}") if plain and draft.read_as else draft
                )
            if used and not draft.asked_back:  # something was looked up
                unsure = unsure_text(part, q.past[-1].asked if q.past else "")
                if not draft.text.startswith("No stored run"):
                    draft = draft.after(f"Taken as: {taken}." if part.faint and taken else "").after(wider_text(part))
                draft = draft._replace(text=f"{draft.text}\n\n{unsure}") if unsure else draft
            drafts.append(draft if draft.asked_back else draft._replace(unused=(*part.left, *draft.unused)))
    return joined(drafts)


def _kept(draft: PlannedAnswer, kept: Sequence[str]) -> PlannedAnswer:
    """The draft, with what it was narrowed to without being named."""
    return draft._replace(read_as=f"{draft.read_as} (as before: {', '.join(kept)})") if kept and draft.read_as else draft


UNFILED = "Nothing was filed, because the part before it is not answered yet."


def _files_something(part: Part) -> bool:
    return part.chosen is not None and part.chosen.entry.proposes


def joined(drafts: Sequence[PlannedAnswer]) -> PlannedAnswer:
    """What was not used, since the answer may be wider for it; the answers of all parts, the next step of the last one only; then
    how they were read."""
    texts = [re.sub(r"\n\nNext: .*$", "", draft.text) for draft in drafts[:-1]] + [draft.text for draft in drafts[-1:]]
    read = "; then ".join(draft.read_as for draft in drafts if draft.read_as)
    left = tuple(dict.fromkeys(piece for draft in drafts for piece in draft.unused))
    quoted = ", ".join(f'"{piece}"' for piece in left)
    notes = [f"I did not use: {quoted}."] if left else []
    paragraphs = causes_once(dict.fromkeys(part for text in texts for part in text.split("\n\n")))  # two parts may show one thing
    notes += [*paragraphs, *([f"*Read as: {read}.*"] if read else [])]
    return PlannedAnswer("\n\n".join(dict.fromkeys(notes)), any(draft.asked_back for draft in drafts), read, left)


def causes_once(paragraphs: Iterable[str]) -> list[str]:
    """The paragraphs of an answer, with the cause of what went wrong in the first of those that say the same one."""
    seen: set[str] = set()
    kept: list[str] = []
    for paragraph in paragraphs:
        before, opens, cause = paragraph.partition(OPENS)
        again = bool(opens) and cause in seen
        kept += [before.rstrip()] if again and before.strip() else [] if again else [paragraph]
        seen |= {cause} if opens else set()
    return kept


def plan_of_part(part: Part, q: Question) -> Plan:
    """The plan of one part, or the sentence that says why it has none."""
    if part.way is not None:
        shows = [PlannedCall(**part.way.shows)] if part.way.shows and part.way.shows["name"] in q.tools else []
        return said_first(help_text(q.role, q.tools) if part.way.text == "HELP" else named_way(part.way, q), shows)
    if (missing := _not_here(part, q)) is not None:
        return nothing(missing, asked_back=True)
    if isinstance(part.call, PlannedAnswer):
        return answered(part.call)
    if isinstance(part.call, PlannedCall):
        return made([_in_role(part.call, q)], q)
    if part.call is not None:
        plan: Plan = part.call(q)
        return plan
    if part.chosen is None:
        return nothing(which_of(part, q.past[-1].asked if q.past else ""), asked_back=True)
    if part.lost:
        return nothing(left_out(part, part.chosen, q.tools), asked_back=True)
    entry = part.chosen.entry
    if entry.proposes and entry.tool.name != "note" and QUESTION.match(q.slots.text):
        return answered(only_asked(q))
    other = ALIKE.get(entry.tool.name) if q.slots.common or q.slots.move or not BETTER.search(q.slots.text) else None
    if entry.tool.name not in q.tools and other not in q.tools:
        return nothing(owner_sentence(part, q))
    if unmade := [h for h in q.slots.handles if h not in q.handles]:
        text = f"This thread has not made or shown {unmade[0]}. Name the run by its id; `list the latest runs` shows them."
        return nothing(text, asked_back=True)
    if q.slots.unclear and entry.tool.name in ("backtest", "compare"):
        return nothing(unclear(q), asked_back=True)
    return plan_of(q)


def _not_here(part: Part, q: Question) -> str | None:
    """What a sentence names that this desk does not have, before anything is looked up in its place; None where all is here."""
    entry = part.chosen.entry if part.chosen else None
    if entry is not None and free(entry.tool.name):
        return None
    if missing := not_here(tidy(part.text, q.words, vocabulary()), q.words):
        return missing
    stray = [symbol for symbol in part.slots.symbols if symbol not in q.words.symbols]
    if not stray or entry is None or any(map(entry.takes, ("symbol", "symbols", "instrument", "query"))):
        return None
    sleeves = ", ".join(sleeve.name for sleeve in q.words.sleeves)
    return f"This desk has no {stray[0]}, neither a sleeve nor bars; sleeves: {sleeves}."


def named_way(way: Way, q: Question) -> str:
    """A fixed answer, with the proposal or the watch that this thread filed or showed last in place of ID."""
    kind = {"decide": "prop-", "expiry": "prop-", "confirm": "w-"}.get(way.key)
    shown = next((i for r in reversed(q.results()) for i in r.ids(kind)), None) if kind else None
    if shown is None or q.slots.place is not None or re.search(r"\b(?:first|second|third|other)\b", q.slots.text):
        return way.text  # of several it may be another one
    decides = LISTS["decides"].items() if way.key == "decide" else ()
    verb = next((verb for verb, form in decides if re.search(form, q.slots.text)), "")
    how = f"To {verb} it, a person types `nightdesk proposals {verb} {shown} --as NAME`; nothing was done here. " if verb else ""
    return f"{shown} is meant, the last one of this thread. {how}{way.text.replace(' ID', f' {shown}')}"


def _in_role(call: PlannedCall, q: Question) -> PlannedCall:
    """A call of this role: where the P&L comes from is split by sleeve for a role that has no attribution, then by exit."""
    split = next((r.args.get("by") for r in reversed(q.results()) if r.name == "trips"), "")
    by = "exit" if split == "sleeve" else "sleeve"
    return call if call.name in q.tools or call.name != "attribution" else PlannedCall("trips", {**call.args, "by": by})


def left_out(part: Part, chosen: Chosen, tools: frozenset[str]) -> str:
    """A question back: what it was read as, what the answer would leave out of that, and what comes closest."""
    quoted = ", ".join(f'"{piece}"' for piece in dict.fromkeys(part.lost))
    of = part.frame if part.frame else part
    name = chosen.entry.tool.name.replace("_", " ")
    on = f' as going on with "{one_line(of.text, 120)}"' if of is not part else ""
    read = ", ".join([name, *_named(of)])
    return (
        f"I did not answer, because I would have to leave out {quoted}, which changes what you ask. I read it{on}: {read}. "
        f"Say `without it` to ask it so, or one of these:\n\n{_examples(chosen, tools)}"
    )


NAMED = ("strategies", "symbols", "sleeves", "span", "side", "outcome", "by")


def _named(part: Part) -> list[str]:
    return [words_of(slot, value) for slot in NAMED if (value := getattr(part.slots, slot)) and given(value)]


def _examples(chosen: Chosen, tools: frozenset[str]) -> str:
    """Three examples of the entry, and of what else the role answers where it has fewer."""
    own = list(chosen.entry.asked.examples)
    others = [e.asked.examples[0] for e in entries() if e.tool.name in tools and e.asked.examples]
    return "\n".join(f"- {example}" for example in [*own, *others][:3])


def owner_sentence(part: Part, q: Question) -> str:
    """One sentence: which role the request belongs to, and the command to ask it."""
    assert part.chosen is not None  # noqa: S101 - asked before
    entry = part.chosen.entry
    said = re.sub(r"[`$\"\\]", "'", one_line(part.text, 300))
    goes_on = ""
    if bound(part.slots):  # that thread does not know this one: what it is about stands in the command
        names = ", ".join(_named(part.frame or part))
        said = f"{' '.join(PATTERNS['model.of_them'].sub('', said).split())}, {names}" if names else said
        goes_on = "" if names else "; that thread does not know this one: name there what it is about"
    return (
        f"You asked for {entry.tool.name.replace('_', ' ')}, which belongs to the {entry.roles[0]}, not to the {q.role}; "
        f'ask there: `nightdesk chat --role {entry.roles[0]} "{said}"`{goes_on}'
    )


def help_text(role: str, tools: frozenset[str]) -> str:
    """Who answers here, an example of each tool of the role's core, and the names of the others."""
    can = {e.tool.name: e.asked.examples[0] for e in reversed(entries()) if e.tool.name in tools and e.asked.examples}
    core = [name for of, names in CORE.items() if of == role for name in names if name in can]
    lines = "\n".join(f"- {can[name]}" for name in core)
    others = "; ".join(can[name] for name in sorted(can.keys() - set(core)))
    return (
        f"I am the {role}, played by the offline model: a planner that knows what its tools declare, not a language model. "
        f"I can read, compute and propose; only a named person applies anything. Try:\n\n{lines}\n\nAlso: {others}"
    )


def which_of(part: Part, before: str = "") -> str:
    """A question back: what may be meant, the most probable first, to be picked by number or by a word."""
    strange = strange_words(part.slots)[:4]
    words = f" I do not know {', '.join(map(repr, strange))}." if strange else ""
    listed = "\n".join(f"{n}. {meant_text(guess, part, before)}" for n, guess in enumerate(part.maybe, 1))
    return (
        f"I did not understand this well enough to answer, and rather answer nothing than another question.{words} "
        f"The nearest that I can do:\n\n{listed}\n\n"
        "Say a number if one of them is meant. If none is, I have no answer to this as it is asked: name what it is about "
        "(a sleeve, a run, a rule, a date), or ask a model."
    )


def unsure_text(part: Part, before: str = "") -> str:
    """What else may be meant, where a reading is answered that is not sure; empty where it is."""
    if not part.unsure:
        return ""
    others = " or ".join(dict.fromkeys(meant_text(guess, part, before) for guess in part.unsure))
    return f"If that is not meant: {others}."


_GOING_ON: Mapping[str, str] = LISTS["going_on"]


def meant_text(guess: Guess, part: Part, before: str = "") -> str:
    """What a label means, for a person who picks: what the tool is asked, as its first example says it."""
    ask, args = guess.label.ask, guess.label.args
    if ask in FOLLOWS:
        return _GOING_ON[ask].format(before=f'"{one_line(before, 50)}"')
    if (way := way_of(ask)) is not None:
        return f"about: {way.name}"
    entry, own = declared_entry(ask), set(stems(part.slots.text))
    assert entry is not None  # noqa: S101 - neither a way nor going on
    by = args.get("by") or args.get("unit")
    what = [*ask.replace("_", " ").split(" "), *([f"by {by}"] if by else [])][:3]
    return f"{' '.join(what)}: as in `{max(entry.asked.examples, key=lambda text: len(set(stems(text)) & own), default='')}`"
