"""What people ask in their own words is read as what they mean: none of these wordings is a sentence for training."""

import pytest

from agents.offline.choose import likely
from agents.offline.labels import FOLDER, sentences
from agents.offline.slots import read_slots
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk

FIRST = {
    "performance": ("what if the cash had simply stayed in bitcoin", "would owning eth all along have beaten us"),
    "health": ("is the worker down then, and from when", "engine gone quiet, how long already"),
    "propose_pause": (
        "keep eth out of the market from friday 21:00 to sunday 18:00",
        "nothing new on btc over the weekend please",
        "let eth sit out until wednesday",
    ),
    "way write_strategy": ("rewrite the reversion file so that it looks at volume", "make the font on the page larger"),
    "way unwatched": (
        "is it a problem when i leave it off until sunday",
        "who minds the stops while it is all down",
        "are the stops with the venue or only here on this box",
    ),
    "way mechanics": (
        "does the simulator fill in the same bar as the signal or the next",
        "the next open lies beyond our stop, at what price does the simulation get us out",
        "one bar touches stop and target, which of them does the test take",
    ),
    "way repeatable": ("is a rerun going to give me identical figures", "do two runs with the same settings ever differ"),
    "way timezone": ("what would 9:45Z be in oslo", "local time or utc, these hours"),
    "way figures": ("would this still work with three million", "how much capital can it take before we move the price"),
    "way help": ("which jobs are left for a human here",),
    "way cannot": ("what are the things you can not do",),
    "joint_risk": ("every stop hit in the same hour, what is gone", "what is lost from here when all of them get stopped"),
    "watches": ("what pings do i have running", "what have i asked to be woken for"),
    "journal_search fill": ("the largest fill of the week", "which fills slipped most this month"),
    "health handover": ("write a handover for anna, she starts at nine", "a short handover for the one who comes after me"),
    "way expiry": ("how long is the pending change good for", "when is it gone if nobody decides"),
}


@pytest.mark.parametrize(("ask", "text"), [(ask, text) for ask, texts in FIRST.items() for text in texts])
def test_a_first_question_is_read_as_it_is_meant(words: Words, ask: str, text: str) -> None:
    """One that no sentence for training has, so that the kind was learned and not the sentence."""
    assert text not in {sentence.text for sentence in sentences()}
    assert likely(read_slots(text, words))[0].label.ask == ask


@pytest.mark.parametrize(
    ("above", "text", "call"),
    [
        ("how did november go", "and had we just owned the coins", "performance"),
        ("p&l of the last week", "what if i'd simply left it in btc", "performance"),
        ("is the worker running", "does anyone watch the stops in the meantime", "sleeves"),
        ("what proposals are pending", "when does that lapse", "proposals"),
        ("which breakers tripped this week", "and which is nearest to going now", "desk"),
    ],
)
def test_a_new_subject_in_a_thread(words: Words, above: str, text: str, call: str) -> None:
    """It is not the question above once more."""
    desk = Desk("operator", words)
    desk.ask(above)
    desk.ask(text)
    assert [name for name, _ in desk.called][:1] == [call]


@pytest.mark.parametrize(
    "text",
    [
        "who looks after the stops while the worker is down",
        "does it matter for my trade that the worker stays off until tomorrow",
    ],
)
def test_a_fixed_text_with_what_is_open_below_it(words: Words, text: str) -> None:
    """What nobody watches is named as well."""
    desk = Desk("operator", words)
    answer = desk.ask(text)
    assert answer.index("While no worker runs") < answer.index("<sleeves>")
    assert desk.called == [("sleeves", {})]


@pytest.mark.parametrize("text", ["no eth entries from friday 20:00 to monday 8:00", "pause eth from tomorrow 18:00 until 22:00"])
def test_a_pause_that_begins_later_is_refused_at_once(words: Words, text: str) -> None:
    """It begins when it is approved: none is filed for another time."""
    desk = Desk("operator", words)
    assert "begins when" in desk.ask(text)
    assert desk.called == []


@pytest.mark.parametrize(
    "text", ["how near are we to today's limits", "exposure this evening", "what do we lose tonight if all stops go"]
)
def test_today_narrows_no_answer_of_now(words: Words, text: str) -> None:
    """The tool says what is so now."""
    desk = Desk("operator", words)
    assert "cannot be narrowed" not in desk.ask(text)
    assert desk.called


def test_every_block_of_sentences_is_read() -> None:
    """A block below a thread would be none of any label: the folder has none."""
    for path in sorted(FOLDER.glob("*.txt")):
        threads = False
        for line in path.read_text(encoding="utf-8").splitlines():
            threads = threads or line.startswith("##")
            assert not (threads and line.strip() and line[0] not in "#["), (path.name, line)
