"""The classifier of what is asked: learned from the sentences beside it, read alike everywhere, sure only where it may be."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from agents.offline import training, understand
from agents.offline.choose import sure
from agents.offline.entries import entry_of
from agents.offline.labels import ARGUMENTS, FOLLOWS, AskLabel, label_of, sentences
from agents.offline.learned import FILE, Guess, guesses
from agents.offline.slots import read_slots
from agents.offline.ways import ways
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk


def test_the_weights_are_of_the_sentences_beside_them() -> None:
    """After a change of the sentences, the senses or the features: python -m agents.offline.training."""
    with np.load(FILE) as file:
        assert str(file["source"]) == training.source_hash()


def test_every_label_names_what_there_is() -> None:
    """A tool with its kind, a way, or how a sentence goes on; and every tool and way has sentences."""
    asks = {sentence.label.ask for sentence in sentences()}
    tools = {ask for ask in asks - set(FOLLOWS) if not ask.startswith("way ")}
    assert {ask for ask in tools if entry_of(ask) is None} == set()
    assert {ask.removeprefix("way ") for ask in asks if ask.startswith("way ")} == set(ways())
    assert {name for sentence in sentences() for name in sentence.label.args} <= set(ARGUMENTS)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("trips by=weekday side=short", AskLabel("trips", {"by": "weekday", "side": "short"})),
        ("trips worst", AskLabel("trips", {"which": "worst"})),
        ("journal_search kinds=fill", AskLabel("journal_search fill", {"kinds": "fill"})),
        ("way order", AskLabel("way order", {})),
        ("attribution sleeves", AskLabel("attribution sleeves", {})),
    ],
)
def test_a_label_is_read_as_it_is_written(written: str, label: AskLabel) -> None:
    """What is asked, and the arguments."""
    assert label_of(written) == label


def test_probabilities_are_of_one_whole_and_nothing_goes_on_in_a_first_turn(words: Words) -> None:
    """Without a thread there is nothing to go on with."""
    first = guesses(read_slots("and eth?", words))
    later = guesses(read_slots("and eth?", words), "backtest")
    assert math.isclose(sum(guess.probability for guess in first), 1.0)
    assert {guess.label.ask for guess in first}.isdisjoint(FOLLOWS)
    assert later[0].label.ask == "more"


@pytest.mark.slow
def test_learning_twice_gives_one_file(tmp_path: Path) -> None:
    """The same sentences, the same weights."""
    few = [s for s in sentences() if s.label.ask in ("alerts", "pnl", "way order", "more")][::40]
    hashes = set()
    for name in ("one.npz", "two.npz"):
        training.learn(few, tmp_path / name)
        with np.load(tmp_path / name) as file:
            hashes.add(hashlib.sha256(b"".join(file[key].tobytes() for key in sorted(file.files))).hexdigest())
    assert len(hashes) == 1


def test_what_files_something_takes_more_to_be_sure_of() -> None:
    """A pause that is half sure is asked back about, a question that is half sure is answered."""
    assert sure([Guess(AskLabel("pnl", {}), 0.55), Guess(AskLabel("desk", {}), 0.4)])
    assert not sure([Guess(AskLabel("propose_pause", {}), 0.5), Guess(AskLabel("pauses", {}), 0.4)])


def test_a_reading_is_picked_by_its_number(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    """`2` after three readings is the second of them, with what the question named."""
    readings = tuple(Guess(AskLabel(ask, {}), 0.09) for ask in ("pnl", "trips", "performance"))
    likely = understand.likely
    monkeypatch.setattr(
        understand, "likely", lambda read, before="": readings if "frobnicate" in read.text else likely(read, before)
    )
    for reply in ("2", "the second one", "number two"):
        desk = Desk("operator", words)
        assert "2. trips" in desk.ask("frobnicate of btc since monday")
        desk.ask(reply)
        assert desk.called == [("trips", {"sleeve": "btc-trend", "since": "2025-12-01"})]
