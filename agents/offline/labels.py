"""What a sentence may ask for, as the sentences for training name it. Called by learned.py, training.py and choose.py.

A label is written `[trips by=weekday side=short]`: what is asked (a tool, with its kind where it has several, `desk limits`; a
way; or how a sentence goes on with the one before), and the arguments with closed values that the sentence sets.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "sentences"
# how a sentence goes on with the question before
_GOES_ON = "more pick why which better repeat go_ahead no"
MORE, PICK, WHY, WHICH, BETTER, REPEAT, GO_AHEAD, NO = FOLLOWS = tuple(_GOES_ON.split())
_ARGUMENTS = "by which side outcome exit what unit gap fills metric beyond kinds state kind only_open"
ARGUMENTS = tuple(_ARGUMENTS.split())
ANYTHING = "anything"  # was asked before a sentence that goes on, where its file does not say what


class AskLabel(NamedTuple):
    """What is asked, and the closed arguments that are set."""

    ask: str
    args: Mapping[str, str]


class WrittenSentence(NamedTuple):
    """A sentence for training; `before`: what was asked before it in its thread, empty for a first one; ANYTHING: not written."""

    text: str
    label: AskLabel
    before: str = ""


@cache
def label_of(text: str) -> AskLabel:
    """A label as it is written in a file."""
    ask, *rest = text.split()
    args: dict[str, str] = {}
    kind = []
    for word in rest:
        name, _, value = word.partition("=")
        if word in ("worst", "best"):
            args["which"] = word
        elif name not in ARGUMENTS or (ask in ("way", "attribution") and name != "which"):
            kind.append(value or name)
        else:
            args[name] = value or "yes"
    if ask == "journal_search" and args:  # a list of refusals and one of fills are asked for in other words
        kind.append(args["kinds"])
    return AskLabel(" ".join([ask, *kind]), args)


def sentences(folder: Path = FOLDER) -> Iterator[WrittenSentence]:
    """Every sentence for training, file by file. A line `## role` begins a thread, a bare label holds for the lines below it."""
    for path in sorted(folder.glob("*.txt")):
        label, before, in_thread = AskLabel("", {}), "", False
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            if line.startswith("##"):
                before, in_thread = "", True
            elif line.startswith("["):
                written, _, text = line[1:].partition("]")
                label = label_of(written)
                if text.strip():
                    yield WrittenSentence(text.strip(), label, before)
                    before = before if label.ask in FOLLOWS else label.ask
            elif not in_thread:
                yield WrittenSentence(line.strip(), label, ANYTHING if label.ask in FOLLOWS else "")
