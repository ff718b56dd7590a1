"""Whether a sentence is proven, contradicted or neither. Called by agents/grounding.py with a sentence and what can support it.

A sentence is vouched for when each of its clauses is proven by one fact, record, state or count of the thread, or claims nothing:
each name, figure, time and word of the clause belongs to that one thing. It is struck when a fact, a state or the turn itself
says otherwise of exactly what it names. Anything else is not checked.
"""

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from agents.atoms import BREAKING, Clause, clauses_of, plain_text
from agents.concepts import FREE, HEADINGS, NOUNS, TALK
from agents.counts import count_of
from agents.deeds import deed_of
from agents.echoes import is_echo, window_of
from agents.fact_proofs import fact_proof
from agents.line_proofs import line_proof, state_of
from agents.support import Ground
from agents.verdicts import OPEN, PROVEN, Topic, Verdict
from tools.common.contract import Fact

CLAUSES_MAX = 24
_ASKING = re.compile(
    r"(?:(?:so|and|but|or|now|ok|well|also),? )?(?:shall|should|do you (?:want|need)|would you|want me|may i|can i|could i"
    r"|can you|could you|will you|is there anything|are there any(?:thing)?|what (?:would|should|do) you"
    r"|which (?:one )?(?:would|should|do) you"
    r"|how (?:would|can|should)|anything else|any (?:other )?questions?)\b"
)
# in a question they take something for granted
_GRANTED = re.compile(
    r"\b(?:know|aware|see|saw|notice|noticed|hear|heard|remember|realise|realize|that|which|because|since|now|again|also|too|another"
    r"|already|after|still|more|back|who|as|given|my|new|next|other|rest|remaining|just|once)\b|\d|[(,;:|]|\.\s"
)
_OF_ACTING = re.compile(
    r"\b(?:(?:i|we|it|this|that|there|which|who|he|she|they|you)\s+(?:\w+\s+)?(?:will|can|do|does|did|could|shall|may|might|have|has"
    r"|should)|(?:it|this|that|there|they|which|all)\s+(?:\w+\s+)?(?:is|are|was|were))\b"
)


_KEY = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
_CITED = re.compile(r"\(((?:d|al|prop)-\d{1,12}|r\d{1,3})\)")  # an id in brackets belongs to what is said before it
_NAMING = TALK & FREE | frozenset(
    [
        "run",
        "sleeve",
        "sleeves",
        "proposal",
        "proposals",
        "alert",
        "alerts",
        "event",
        "events",
        "variant",
        "see",
        "look",
        "looking",
        "for",
        "at",
        "in",
        "source",
        "compare",
        "please",
        "details",
        "as",
        "of",
        "the",
        "context",
        "full",
    ]
)
_NAMING -= frozenset(["from", "by", "is", "are", "has", "have", "was", "were", "been", "it", "will", "would", "can", "open"])


class SentenceOutcome(Enum):
    """What becomes of a sentence."""

    VOUCHED = "vouched"
    STRUCK = "struck"
    UNCHECKED = "not checked"


class Judged(NamedTuple):
    """A sentence's outcome; why, where it is struck; whether it claims nothing at all."""

    outcome: SentenceOutcome
    why: str = ""
    talk: bool = False
    about: frozenset[str] = frozenset()  # what the sentence names last


def judge(
    sentence: str,
    ground: Ground,
    name_end: Callable[[str, int], int],
    marks: Sequence[Fact],
    context: frozenset[str] = frozenset(),
) -> Judged:
    """The outcome of a sentence; in it references are private-use characters, as agents/grounding.py marks them. `context`: what
    the answer named last before it, of which a sentence that names nothing is read."""
    text = plain_text(sentence)
    if not re.search(r"\w|[\ue000-\uf8ff]", text):
        return Judged(SentenceOutcome.VOUCHED, talk=True)
    heading = sentence.lstrip().startswith("#") or re.fullmatch(r"\s*(?:\*\*[^*]+\*\*:?|[^:]+:)\s*", sentence) is not None
    if (
        _asks(text)
        or is_echo(text, ground)
        or (
            heading
            and all(word in NOUNS | TALK | FREE | {"open", "pending", "latest"} for word in re.findall(r"\S+", text.strip(":.!")))
        )
    ):
        return Judged(SentenceOutcome.VOUCHED, talk=True)
    text = _CITED.sub(r"\1", _KEY.sub(lambda key: key[0].replace("_", " ") if key[0] in ground.metrics else key[0], text))
    for alias, run in ground.aliases.items():
        text = re.sub(rf"\b{re.escape(alias)}\b", run, text)
    label, colon, rest = text.partition(": ")
    if colon and re.fullmatch(r"[a-z' ]*", label) and all(word in TALK | HEADINGS for word in label.split()):
        text = rest
    found = [
        _judge_clauses(clauses_of(text, name_end, ground.names_lower, breaks), ground, marks, context)
        for breaks in BREAKING[: 2 if " with " in text else 1]
    ]
    return next((one for one in found if one.outcome is SentenceOutcome.VOUCHED), found[0])


def _judge_clauses(clauses: list[Clause], ground: Ground, marks: Sequence[Fact], context: frozenset[str]) -> Judged:
    """The outcome of a sentence of these clauses."""
    verdicts, talks, about = [], [], frozenset[str]()
    for n, clause in enumerate(clauses[:CLAUSES_MAX]):
        talk = _is_talk(clause) or (n == 0 and _is_topic(clause))
        verdict = PROVEN if talk else _verdict(clause, ground, Topic(about, context), marks)
        verdicts.append(verdict)
        talks.append(talk)
        named = frozenset(atom.text for atom in clause.of("name"))
        about = named or about
    if why := next((verdict.why for verdict in verdicts if verdict.why), ""):
        return Judged(SentenceOutcome.STRUCK, why, about=about)
    if all(verdict.proven for verdict in verdicts) and len(clauses) <= CLAUSES_MAX:
        return Judged(SentenceOutcome.VOUCHED, talk=all(talks), about=about)
    return Judged(SentenceOutcome.UNCHECKED, about=about)


def _asks(text: str) -> bool:
    """A question to the person that takes nothing for granted."""
    return text.endswith("?") and _ASKING.match(text) is not None and _GRANTED.search(text[:-1]) is None


def _is_talk(clause: Clause) -> bool:
    """Only words of talking itself: nothing that a desk has, does or is."""
    words = [atom.text for atom in clause.atoms]
    return all(atom.kind == "word" and atom.text in TALK for atom in clause.atoms) and (
        len(words) == 1 or _OF_ACTING.search(" ".join(words)) is None
    )


def _is_topic(clause: Clause) -> bool:
    """`Looking at r1`, `see d-2101 for the details`, a cell that names a thing: it names, and says nothing of what it names."""
    words = [atom.text for atom in clause.of("word")]
    return (
        bool(clause.of("name"))
        and len(clause.of("name")) + len(words) == len(clause.atoms)
        and all(word in _NAMING for word in words)
    )


def _verdict(clause: Clause, ground: Ground, topic: Topic, marks: Sequence[Fact]) -> Verdict:
    """Proven by any prover; contradicted when none proves and one contradicts."""
    if clause.of("junk"):
        return OPEN
    provers: tuple[Callable[[], Verdict], ...] = (
        lambda: deed_of(clause, ground),
        lambda: state_of(clause, ground, topic.about),
        lambda: count_of(clause, ground),
        lambda: window_of(clause, ground),
        lambda: fact_proof(clause, ground, topic, marks),
        lambda: line_proof(clause, ground, topic),
    )
    found = OPEN
    for prove in provers:
        verdict = prove()
        if verdict.proven:
            return PROVEN
        found = found if found.why else verdict
    return found
