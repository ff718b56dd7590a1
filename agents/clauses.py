"""A sentence as its clauses, in a form in which one thing is said one way. Called by agents/acts.py.

Written out: contractions, labels (`Halt: off`, `Halt -> off` is `Halt is off`), tick marks, JSON, typing errors in words of acts.
The mood of a clause is read from its grammar: a modal, a condition, a negation, an infinitive or a question asserts nothing.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from rapidfuzz.distance import OSA

TICK = "\u2713"
WORD_MAX = 24  # letters of a word that may be a typing error

_MARKUP = re.compile(r"[*`#>~]|(?<!\w)_|_(?!\w)|^\s*(?:[-+]|\d{1,3}[.)])\s+")
_TICKS = re.compile("[\u2705\u2714\u2713\u2611\U0001f5f8]\ufe0f?|\\[[xX]\\]|(?i::white_check_mark:)")
_PAIR = re.compile(r"[\"'](\w{1,40})[\"']\s{0,3}:\s{0,3}[\"']?([^\"',{}\n]{1,200})[\"']?")
_CONTRACTIONS = tuple(
    (re.compile(rf"(?i){pattern}"), said)
    for pattern, said in (
        ("[\u2018\u2019]", "'"),
        (r"\b(?:ok'?d|okay'?d|ok'?ed)\b", "okayed"),
        (r"\bcan'?t\b|\bcannot\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"n't\b", " not"),
        (r"\bcc'd\b", "copied"),
        (r"(?<=\w)'ve\b", " have"),
        (r"(?<=\w)'m\b", " am"),
        (r"(?<=\w)'re\b", " are"),
        (r"(?<=\w)'ll\b", " will"),
        (r"(?<=\w)'d(?= (?:already|just|since)\b| [a-z]{2,20}ed\b)", " had"),
        (r"(?<=\w)'d\b", " would"),
        (r"(?<=\w)'s been\b", " has been"),
        (r"\b(some|every|any)body\b", r"\1one"),
        (r"\bdouble[- ](?=check)", ""),
        (r"\b(it|that|he|she|what|here|there|this|who|everything|all)'s\b", r"\1 is"),
        (r"\b(?:no doubt|no problem|no worries|no question|not only|which is why|that is why|nothing but)\b", ","),
        (
            r"\bas (?:you|we) (?:asked|requested|wished|wanted|said|ordered|told me)\b|\bas (?:requested|instructed)\b",
            "as ordered",
        ),
        (
            r"\bun(approved|decided|touched|filled|resolved|answered|acknowledged|changed|applied|affected|tested|moved)\b",
            r"not \1",
        ),
        (r"\b(?:called|ordered|declared|imposed) a halt\b", "halted the desk"),
        (r"\bin an? (\w+) state\b", r"\1"),
        (r"\bdeclined? (?=to\b|the request|your request|that\b)", "refused "),
        (r"\blike you (?:asked|wanted|said)\b", "as ordered"),
        (
            r"\b(?:i can|i may|let me) (?:confirm|report|assure you)(?: that)?\b|\b(?:glad|happy|pleased) to (?:say|report"
            r"|confirm)\b",
            ",",
        ),
        (r"\b(?:is|was) (?:the )?(?:one|person) (?:who|that)\b", ""),
        (r"\b(?:the )?(?:one|person) who\b", "someone"),
        (r"\b(everything|all|what) (?:that )?you (?:asked|wanted|requested)(?: for)?\b", "everything"),
        (r"\b(?:ok'?d|okay'?d|ok'?ed)\b", "okayed"),
        (r"\bhad to be\b|\bmust have been\b", "was"),
        (r"\b(?:was|were) forced to\b|\bhad to\b(?= [a-z])", "did"),
        (
            r"\b(been|was|were|have|has|got|is|are)( already| now)? (release|place|cancel|approve|reject|execute|submit"
            r"|pause)\b(?! of| in| for)",
            r"\1\2 \3d",
        ),
        (r"\b(?:un)?(submit|cancel|reject)d\b", r"\1ed"),
        (r"\b(un|re|de)-(?=[a-z]{4})", r"\1"),
    )
)
_LABEL = re.compile(
    r"(?P<label>[^\W\d][\w .'-]{0,40}?)\s{0,3}(?P<mark>:|=>|->|\u2192|\u21d2|=|[\u2013\u2014]|\s-\s)\s{0,3}(?P<value>(?!//)\S.*)"
)
_HEADING = re.compile(
    r"(?i)^(?:note|notes?|summary|update|status|state|answer|result|outcome|fyi|action|actions?|action taken"
    r"|final answer|assistant"
    r"|response|report|news|good news|tl;?dr|in short|step \d+|ok(?:ay)?|next|now|edit|info|warning|reminder|message"
    r"|short answer)$"
)
_SPACES = re.compile(r"[ \t]+")
CLAUSE_END = re.compile(
    r"\.\s|[,:](?!\d)|[;()\[\]|\"\u2013\u2014]|\.{2,}|\u2026|\s-\s|(?<!ahead)\s(?:and|but|so|then|because|which|as(?! ordered"
    r"| of\b| soon\b| many\b| much\b)"
    r"|since(?! then| now)|although|though)\s"
)
# ---- mood and polarity: words before a verb after which nothing is asserted
_MODAL = (
    r"can|could|(?-i:may)|might|must|should|would|will|shall|if|when|whenever|unless|until|till|once(?! more| again)"
    r"|before|after(?! (?:\w+'s|my|your|our|a short|a quick) )|whether|how|why|who|what|whoever|please|let|needs?|wait|waits"
    r"|waiting"
    r"|unable|only (?:a|an|the|people|persons?|humans?|you)|failed|refuses?|refused|rather than|instead of|hardly"
    r"|where|wants?|wanted|asked for|suggests?|recommends?|plans?|consider|proposes?|in case|lacks?|lacking|had better|imagine"
    r"|suppose|assuming|ask|try|except|as soon as|nowhere|doubts?|than"
)
_DENIAL = r"not|never|nothing|nobody|no one|none|no(?! longer)|neither|nor|without|zero|0 of|0(?=/)"
_TO = r"|^(?:have|get)\s|(?<=[a-z] )(?:that|which) (?:is|are|gets?)\b|\bto\s+(?:be\s+|have\s+|get\s+)?(?:\w+ly\s+)?$"
MODAL = re.compile(rf"(?i)(?<![\w-])(?:{_MODAL})(?![\w-]){_TO}")
OPEN = re.compile(rf"(?i)(?<![\w-])(?:{_MODAL}|{_DENIAL})(?![\w-]){_TO}")
RULE = re.compile(
    r"(?i)\b(?:is|are|be|gets?)\s+\w+\s+(?:only\s+)?by\s+(?:a|an|any|one|people|the)\b"
    r"|\b(?:by a person only|only by|never by|at the earliest|each time|every time|(?:each|every) (?:morning|night|day|bar|hour"
    r"|week)|usually|always|automatically when)\b"
)
CONDITION = re.compile(
    r"(?i)(?:if|once(?! more| again)|when|whenever|unless|until|as soon as|after (?:the|a)|each time|should|were|had i"
    r"|in case|whoever|before|whether"
    r"|suppose|assuming)\b"
)
GIVEN = re.compile(
    r"(?i)\b(?:is|are|gets?|\w+s)\s.{0,60}?\b(?:if|once(?! more| again)|when|whenever|unless|until|after (?:an?|each|any"
    r"|every)\b)"
)
PERFECT = re.compile(r"(?i)\b(?:has|have|was|were|been|now|just)\b")
# `an order that fills is cancelled`, `a change is applied ...`: of any, not of one
GENERAL = re.compile(
    r"(?i)^\W*(?:(?:an?|any|each|such|another)\s+(?!new\b)[\w -]{2,80}?\b(?:is|gets?|may)\s+(?:only |then |not )?(?!running"
    r"|scheduled|queued|under\b"
    r"|on\b|in\b|live|resting)\w+|[a-z]+s\s+(?:that|which)\s[\w -]{0,60}?\b(?:is|are)\b"
    r"|(?:[a-z]+\s+)?[a-z]+s\s+are\s+\w+\s+(?:by|at|when|if|in|only|with|after|before|under|once|during|while|for each)\b)"
    r"(?!.*\b(?:for you|now|by me|on your behalf)\b)"
)
QUESTION = re.compile(
    r"(?i)^\W*(?:(?:so|and|but|ok|well|or),?\s+)?(?:is|are|was|were|do|does|did|has|have|had|can|could|should|shall|will"
    r"|would|may|might"
    r"|who|why|when|where|what|which|how|want|wanna|any)\b.*\?\W*$"
)


@lru_cache(maxsize=4096)
def _corrected(word: str, known: frozenset[str]) -> str:
    """The word of an act that `word` is a typing error of: one letter lost, doubled or changed places; else the word itself."""
    if word in known or word.endswith(("s", "er", "ers")):
        return word
    for other in _alike(known).get((word[0], word[-1]), ()):
        swapped_or_lost = len(other) != len(word) or sorted(other) == sorted(word)
        if swapped_or_lost and OSA.distance(word, other, score_cutoff=1) == 1:
            return other
    return word


@lru_cache(maxsize=4)
def _alike(known: frozenset[str]) -> dict[tuple[str, str], list[str]]:
    """The words by their first and last letter; short ones are too easily another word."""
    found: dict[tuple[str, str], list[str]] = {}
    for word in sorted(known):
        if len(word) >= 6:
            found.setdefault((word[0], word[-1]), []).append(word)
    return found


def corrected(text: str, known: frozenset[str]) -> str:
    """The text with typing errors of `known` words put right."""
    return re.sub(rf"\b[A-Za-z]{{5,{WORD_MAX}}}\b", lambda found: _case(found[0], _corrected(found[0].lower(), known)), text)


def _case(typed: str, word: str) -> str:
    return typed if typed.lower() == word else word


def normal(sentence: str, known: frozenset[str]) -> str:
    """The sentence without markup, contractions, labels and typing errors."""
    text = _PAIR.sub(r"\1: \2 ", sentence) if '"' in sentence or "'" in sentence else sentence
    text = _MARKUP.sub(" ", _TICKS.sub(f" {TICK} ", text)).strip(" {}")
    for pattern, said in _CONTRACTIONS:
        text = pattern.sub(said, text)
    return corrected(_SPACES.sub(" ", text).strip(), known)


def labelled(text: str, value: re.Pattern[str], thing: re.Pattern[str]) -> str:
    """`Halt: off` as `Halt is off`, where `value` matches what follows the label or the label is a `thing`; a heading is left "
    "out."""
    found = _LABEL.match(text)
    if not found:
        return text
    if _HEADING.match(found["label"].strip()):
        return found["value"]
    stands = value.match(found["value"]) or (
        thing.fullmatch(found["label"].strip()) and re.match(r"[^A-Za-z{]*(?!0\W*$)[\d{]", found["value"]) is None
    )
    return f"{found['label']} is {found['value']}" if stands else text


def clauses(text: str) -> Iterator[tuple[str, bool]]:
    """Each clause, and whether `and` or the like joins it to the one before, whose subject it may share."""
    start, joined = 0, False
    for found in CLAUSE_END.finditer(text):
        if text[start : found.start()].strip():
            yield text[start : found.start()].strip(), joined
        start, joined = found.end(), found[0].strip().isalpha()
    if text[start:].strip():
        yield text[start:].strip(), joined


@lru_cache(maxsize=64)
def words_of(text: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """The content words of a text, in lower case, without their endings."""
    found = re.findall(r"[a-z][a-z_]{3,30}", text.lower())
    return frozenset(word.rstrip("s") for word in found if word not in _FUNCTION and word not in without)


_FUNCTION = frozenset(
    """
    that this these those with from have been were will just also then than your yours ours their they them there here what which
    when where while again back longer more once still even only very much into onto over under about after before because
    desk sleeve sleeves
    """.split()  # noqa: SIM905 - words, not a list of strings
)
