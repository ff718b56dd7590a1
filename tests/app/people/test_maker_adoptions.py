"""A person takes up what a stranger has traded at a maker's account: listed, booked once, and the maker starts again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import making
from app.home.home import Home
from app.home.written import alone_in
from app.people.identity import add_person
from engine.errors import Refused
from engine.making.fold import folded, rules_at
from engine.making.stored import LOCK
from engine.store.journal import read, verify
from tests.app.making.bench import Bench, play
from tests.app.making.maker_homes import maker_before, with_accounts
from tests.fakes.commands import Typed, typed_in
from tests.fakes.exchange import orders as o

WORD = "a long passphrase"


@pytest.fixture
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A desk with makers' accounts, and ann."""
    found = with_accounts(own_home)
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(found.path, "ann", WORD))
    monkeypatch.setattr("app.cli.handing.passphrase", lambda *_: WORD)
    return found


@pytest.fixture
def typed(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """`nightdesk making ARGS`."""
    return typed_in(making, home.path, monkeypatch, capsys)


def played(home: Home, lots: int, then: Callable[[Bench], Any]) -> Bench:
    """A maker at whose account a stranger trades so many lots; what `then` makes of it once the maker has stopped."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(40)
        bench.exchange.place(o.Order("", "BTC", 1 if lots > 0 else -1, abs(lots)))
        await bench.after(60)
        await bench.end()
        assert bench.lots() - bench.book().inventory == lots
        await then(bench)

    return play("port-bybit", home.path, script)


@pytest.mark.parametrize("lots", [777, -1_300])
def test_an_adopted_difference_lets_the_maker_start_again(home: Home, typed: Typed, lots: int) -> None:
    """The list has it; its price is the stranger's; cash and inventory move by it; the next start is equal, quotes, is filled."""
    found: dict[str, Any] = {}

    async def then(bench: Bench) -> None:
        found["list"] = json.loads(typed("adopt", "m", "--json")[1])
        found["before"], held = bench.book(), bench.lots() / 10_000
        words = ("adopt", "m", "--inventory", f"{held}", "--fee", "0.5", "--as", "ann", "--reason", "ben traded by hand", "--yes")
        code, text, err = typed(*words, "--json")
        assert code == 0, (text, err)
        found["said"] = json.loads(text[text.index("{") :])
        found["after"] = bench.book()
        assert "holds" in typed(*words)[2]  # it is held already
        bench.begin()
        await bench.after(150)
        await bench.end()

    bench = played(home, lots, then)
    assert verify(bench.path).ok
    before, after = found["before"], found["after"]
    parts = found["list"]["strangers"]
    assert sum(one["side"] * one["lots"] for one in parts) == lots
    price = sum(one["lots"] * one["price"] for one in parts) / abs(lots)
    assert found["said"]["price"] == pytest.approx(price)
    assert after.inventory - before.inventory == lots
    cash = -lots / 10_000 * price - 0.5
    worth = [book.sleeve.ledger.cash + layered(book) for book in (before, after)]
    assert worth[1] - worth[0] == pytest.approx(cash, abs=1e-6)
    assert len(bench.events("adopt")) == 1
    assert bench.book().inventory == bench.lots()
    assert bench.book().fills > after.fills
    assert not bench.book().halted
    (event,) = read(home.people_journal, {"adopt"})
    assert event.body["adopts"]["maker"] == "m"
    assert json.loads(typed("adopt", "m", "--json")[1])["strangers"] == []


def layered(book: Any) -> float:
    """What a maker paid for its inventory: with the cash, money that does not move with the price."""
    layer, lot = book.sleeve.position.layers[0], rules_at(book).lot_size
    return float(-book.sleeve.position.side * layer.lots * lot * layer.entry)


def test_an_adoption_that_is_not_what_the_venue_holds_keeps_it_off(home: Home, typed: Typed) -> None:
    """The start compares again, whatever a person has said; it is put right by another adoption, with its own price."""

    async def then(bench: Bench) -> None:
        wrong = ("adopt", "m", "--as", "ann", "--reason", "a guess", "--yes", "--fee", "0", "--inventory")
        assert "price" in typed(*wrong, "1.5")[2]  # not all of it is a stranger's: its price has to be given
        assert typed(*wrong, "1.5", "--price", "60000")[0] == 0
        bench.begin()
        with pytest.raises(Refused, match="lots, the maker's journal 15000"):
            await bench.after(120)
        assert typed(*wrong, f"{bench.lots() / 10_000}", "--price", "60000")[0] == 0
        bench.begin()
        await bench.after(60)
        await bench.end()
        assert bench.book().inventory == bench.lots()

    played(home, 500, then)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--inventory", "0.00001", "--fee", "0", "--price", "1", "--reason", "x"), "not whole lots"),
        (("--inventory", "nan", "--fee", "0", "--price", "1", "--reason", "x"), "not whole lots"),
        (("--inventory", "0.1", "--fee", "0", "--reason", "x"), "price or the fee"),
        (("--inventory", "0.1", "--price", "60000", "--reason", "x"), "price or the fee"),
        (("--inventory", "0.1", "--fee", "0", "--price", "-5", "--reason", "x"), "a price of -5"),
        (("--inventory", "0.1", "--fee", "nan", "--price", "6", "--reason", "x"), "a fee of nan"),
        (("--inventory", "0.1", "--fee", "0", "--price", "60000"), "needs a reason"),
        (("--inventory", "0", "--fee", "0", "--price", "60000", "--reason", "x"), "holds 0 already"),
    ],
)
def test_what_is_no_amount_moves_nothing(home: Home, typed: Typed, words: tuple[str, ...], why: str) -> None:
    """One line, and the journal is as it was."""
    maker_before(home, "m", kind="testnet at an account", stage="testnet", account="mm", code="abcd")
    before = (home.path / "making" / "m" / "making.jsonl").read_bytes()
    code, text, err = typed("adopt", "m", "--as", "ann", "--yes", *words)
    assert code != 0
    assert why in text + err
    assert (home.path / "making" / "m" / "making.jsonl").read_bytes() == before


def test_nothing_is_adopted_on_paper_or_while_it_runs_or_by_a_viewer(home: Home, typed: Typed) -> None:
    """A maker on paper has no stranger; a journal has one writer; a role that may not is denied."""
    words = ("--inventory", "0.1", "--fee", "0", "--price", "60000", "--reason", "x", "--as", "ann", "--yes")
    maker_before(home, "paper1")
    assert "nobody else trades there" in typed("adopt", "paper1", *words)[2]
    maker_before(home, "m", kind="testnet at an account", stage="testnet", account="mm", code="abcd")
    folder = home.path / "making" / "m"
    with alone_in(folder, LOCK, "it runs"):
        assert "is running" in typed("adopt", "m", *words)[2]
    assert not folded(read(folder / "making.jsonl")).inventory
    assert "Refused" not in typed("adopt", "m", *words)[2]
    assert folded(read(folder / "making.jsonl")).inventory == 1_000
