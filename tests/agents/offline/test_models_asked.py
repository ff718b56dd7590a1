"""Stored models by sentences: which is meant, what is called, how a thread goes on; hundreds of sentences by their labels."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.offline.choose import likely
from agents.offline.labels import sentences
from agents.offline.slots import read_slots
from agents.offline.training import desk_words
from agents.offline.words import SleeveName, Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

WRITTEN = Path(__file__).parent / "model_sentences.txt"
READ_LEAST = 0.94  # of the sentences, when the patterns were written: what is left is asked in words that say nothing of a model
GATES = Table(("gate", "", "figures"), (("gap", "passed", "5 points"), ("leaks", "FAILED", "a bar ahead")))


@pytest.fixture
def modelled(words: Words) -> Words:
    """Two models; btc-vol reads both."""
    read = {"vol-btc": "1.2.0", "regime-btc": "1.0.0"}
    sleeve = SleeveName("btc-vol", "volscaled", "BTC-USDT", "15m", "binance", {}, read)
    models = {"regime-btc": ("1.0.0",), "vol-btc": ("1.1.0", "1.2.0", "1.3.0")}
    return replace(words, sleeves=(*words.sleeves, sleeve), models=models)


@pytest.mark.slow
def test_sentences_of_several_voices_are_read(tmp_path: Path) -> None:
    """By label and split, in their threads; the share that was read when they were written."""
    shutil.copy(WRITTEN, tmp_path)
    listed = list(sentences(tmp_path))
    wrong = []
    for one in listed:
        slots = read_slots(one.text, desk_words())
        label = likely(slots, one.before)[0].label
        by = one.label.args.get("by")
        if label.ask != one.label.ask or (by and by not in (label.args.get("by"), *slots.by)):
            wrong.append((one.label.ask, one.text, label.ask))
    assert len(wrong) <= (1 - READ_LEAST) * len(listed), wrong


CARD = ("models", {"model": "vol-btc@1.2.0"})


@pytest.mark.parametrize(
    ("role", "text", "wanted"),
    [
        ("advisor", "which models do we have", ("models", {})),
        ("advisor", "is vol-btc any good", CARD),
        ("advisor", "does vol-btc beat har", CARD),
        ("operator", "compare vol-btc 1.2.0 and 1.3.0", ("models", {"model": "vol-btc@1.3.0", "beside": "1.2.0"})),
        ("operator", "which version does btc-vol read and since when", ("models", {"sleeve": "btc-vol"})),
        ("developer", "is there a leak in vol-btc 1.3.0", ("models", {"model": "vol-btc@1.3.0", "gates": True})),
        ("advisor", "why are predictions null", ("predictions", {})),
        ("operator", "why does the model say nothing on btc-vol", ("predictions", {"sleeve": "btc-vol"})),
        ("operator", "has vol-btc drifted", ("model_drift", {"model": "vol-btc@1.2.0"})),
        ("operator", "drift of vol-btc over the last 60 days", ("model_drift", {"model": "vol-btc@1.2.0", "days": 60})),
        ("advisor", "pnl by market regime", ("trips", {"by": "regime"})),
        ("advisor", "p&l by tercile of predicted vol", ("trips", {"by": "prediction"})),
        ("advisor", "hrp weights over the last 90 days", ("weights", {"days": 90})),
    ],
)
def test_each_kind_is_one_call(modelled: Words, role: Any, text: str, wanted: Any) -> None:
    """With the version that the sleeve reads where none is named."""
    desk = Desk(role, modelled)
    desk.ask(text)
    assert desk.called == [wanted]


def test_a_version_is_proposed_for_the_sleeve_that_reads_the_model(modelled: Words) -> None:
    """By an order alone, never by a question; of an unclear version the person is asked."""
    desk = Desk("developer", modelled)
    desk.ask("promote vol-btc 1.3.0")
    ((name, args),) = desk.called
    assert (name, args["sleeve"], args["model"]) == ("propose_model", "btc-vol", "vol-btc@1.3.0")
    for text in ("is vol-btc 1.3.0 better than 1.2.0", "may vol-btc 1.3.0 be promoted", "what stops 1.3.0 from being promoted"):
        desk.ask(text)
        assert [name for name, _ in desk.called] == ["models"], text
    assert "belongs to the developer" in Desk("operator", modelled).ask("promote vol-btc 1.3.0")


def test_a_thread_goes_on_with_its_model(modelled: Words) -> None:
    """The card, that of another version, its leak check first, its drift."""
    desk = Desk("developer", modelled)
    desk.ask("vol-btc good?")
    desk.ask("vs 1.3.0")
    assert desk.called == [("models", {"model": "vol-btc@1.3.0"})]
    desk.answers = {"models": ok("models")._replace(table=GATES)}
    text = desk.ask("leaks?")
    assert desk.called == [("models", {"model": "vol-btc@1.3.0", "gates": True})]
    assert "FAILED" in text
    desk.ask("drift?")
    assert desk.called == [("model_drift", {"model": "vol-btc@1.3.0"})]


def test_nothing_is_trained_by_a_chat(modelled: Words) -> None:
    """The command that a person runs; no call."""
    desk = Desk("developer", modelled)
    assert "`nightdesk models train FILE.toml`" in desk.ask("retrain vol on eth")
    assert desk.called == []


@pytest.mark.parametrize("text", ["which language model are you", "what is the cost model", "note that i do not trust the model"])
def test_models_of_another_kind_are_not_meant(modelled: Words, text: str) -> None:
    """The language model, the cost model, a note."""
    desk = Desk("advisor", modelled)
    desk.ask(text)
    assert not {"models", "predictions", "model_drift"} & {name for name, _ in desk.called}
