"""What is answered though the tool cannot take all of it or its reading is not quite sure; misspelt words and numbers."""

import pytest

from agents.offline import understand
from agents.offline.labels import AskLabel
from agents.offline.learned import Guess
from agents.offline.slots import read_slots
from agents.offline.wider import without_statement
from agents.offline.words import Words, tidy, vocabulary
from tests.agents.offline.test_dialogues import Desk


@pytest.mark.parametrize(
    ("text", "call", "named"),
    [
        ("where does the p&l come from since monday by coin", ("attribution", {"since": "2025-12-01"}), "by coin"),
        ("sharpe ratio of eth", ("performance", {}), "eth"),
    ],
)
def test_a_wider_answer_says_first_what_it_is_not_narrowed_to(words: Words, text: str, call: object, named: str) -> None:
    """A split, a sleeve or a window that a tool of reading does not take."""
    desk = Desk("advisor", words)
    said = desk.ask(text)
    assert desk.called == [call]
    assert said.startswith("**Wider than you asked")
    assert named in said.split("\n\n", maxsplit=1)[0]


@pytest.mark.parametrize(
    "text", ["trips that did not close by friday", "pause sol unless it is above 150", "list the alerts without sol"]
)
def test_what_denies_sets_a_condition_or_files_is_asked_back_about(words: Words, text: str) -> None:
    """There a wider answer would be of another question."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert desk.called == []


@pytest.mark.parametrize(("ask", "called"), [("trips", ["trips"]), ("propose_pause", [])])
def test_a_likely_reading_is_answered_as_one_that_is_not_sure(
    words: Words, monkeypatch: pytest.MonkeyPatch, ask: str, called: list[str]
) -> None:
    """Of a tool that reads; what files something is asked back about."""
    readings = (Guess(AskLabel(ask, {}), 0.38), Guess(AskLabel("pnl", {}), 0.3), Guess(AskLabel("desk", {}), 0.1))
    monkeypatch.setattr(understand, "likely", lambda read, before="": readings)
    desk = Desk("operator", words)
    said = desk.ask("frobnicate eth until friday 12:00" if ask != "trips" else "frobnicate eth")
    assert [name for name, _ in desk.called] == called
    assert ("Taken as: round trips" in said) == bool(called)
    assert ("If that is not meant: " in said) == bool(called)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("fess vs pnl", "fees vs p&l"),
        ("how much mony", "how much money"),
        ("swep the stop", "sweep the stop"),
        ("when do we loose the most", "when do we lose the most"),
        ("could we loose money", "could we lose money"),
        ("are we loosing", "are we losing"),
        ("is the stop too loose", "is the stop too loose"),
        ("eth under 2.6k", "eth under 2600"),
        ("when bitcoin go under 80 thousend", "when bitcoin go under 80000"),
        ("btc above 1.5 thousand", "btc above 1500"),
        ("btc over 85.5k", "btc over 85500"),
        ("eqity over 30k", "equity over 30000"),
    ],
)
def test_misspelt_words_and_thousands_are_read(words: Words, typed: str, read: str) -> None:
    """Towards the words of this desk, before anything is read."""
    assert tidy(typed, words, vocabulary()) == read


@pytest.mark.parametrize("text", ["average trade after costs past 2 weeks", "mean result after fees since monday"])
def test_no_answer_is_narrowed_to_what_no_word_says(words: Words, text: str) -> None:
    """Losers alone would be another figure."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert all("outcome" not in args and "side" not in args for _, args in desk.called)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("what's profit factor", ("define", {"word": "profit factor"})),
        ("whats an atr", ("define", {"word": "atr"})),
        ("which coin is to blame", ("trips", {"by": "symbol"})),
        ("Should we retire ETH altogether?", ("trips", {"sleeve": "eth-trend"})),
        ("hows the book rn", ("desk", {})),
        ("are we flat", ("exposure", {})),
        ("what did holding make?", ("performance", {})),
    ],
)
def test_a_first_question_is_not_answered_by_its_neighbour(words: Words, text: str, call: object) -> None:
    """The kinds of a hundred unseen turns."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert desk.called[-1:] == [call]


def test_the_loss_of_a_day_is_its_own_limit(words: Words) -> None:
    """Not the drawdown at which the desk halts."""
    desk = Desk("advisor", words)
    desk.ask("How much may we lose in a single day before something stops us?")
    assert ("define", {"word": "day_loss_frac_max"}) in desk.called


def test_two_splits_are_shown_one_after_the_other(words: Words) -> None:
    """No tool splits by both at once, and the answer says so."""
    desk = Desk("advisor", words)
    assert "No tool splits by" in desk.ask("hit rate by side and weekday").split("<")[0]
    assert [args["by"] for _, args in desk.called] == ["side", "weekday"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("how often did a target fire, i have a feeling it never does", "how often did a target fire"),
        ("is eth drifting - we suspect it is", "is eth drifting"),
        ("what did funding cost us, people keep hearing horror stories", "what did funding cost us"),
        ("which sleeve is best, i guess eth", None),
        ("pnl of november, i think since the 10th", None),
        ("note: weekends are bad, i believe", None),
        ("raise the stop of eth to 3, i think it is too tight", None),
        ("hi, i think", None),
    ],
)
def test_what_a_person_feels_is_no_part_of_the_question(words: Words, text: str, left: str | None) -> None:
    """Unless it names something, or is what is noted, or why."""
    assert without_statement(text, words) == (left or text)


@pytest.mark.parametrize(
    "text", ["how often did a breaker trip over the 30 days", "breaker trips of these 30 days", "over all 30 days"]
)
def test_the_days_are_those_up_to_now(words: Words, text: str) -> None:
    """As the last 30 are."""
    assert read_slots(text, words).span == read_slots("over the last 30 days", words).span
    assert read_slots("the 30 days before that", words).span.ahead == "30 days"
