"""Claims of acts: without a receipt of the turn the whole sentence is struck; instructions, negations and records stand."""

import pytest

from agents import turns
from agents.act_words import FAMILIES
from agents.records import Receipts
from agents.grounding import Ground, ground
from agents.model import Reply
from agents.verb_forms import ing_forms, past_forms
from engine.control import halt
from tests.agents.test_answer_lines import SINCE_MS, ask
from tests.fakes.facts import BY_REF
from tests.fakes.offices import FakeOffice, ScriptedModel, calls

RECORDS = [
    "The desk is HALTED (smoke), trading: equity {d1.equity}, 2 open positions (d-112).",
    "btc-trend | {l1.equity} | flat | - ",
    "eth-trend | {l2.equity} | long {l2.quantity} | {l2.protective}",
    "d-90 fill sell 0.1 at 61,250.00 by stop, sleeve btc-trend",
    "prop-2 (applied): stop_atr 2 -> 3",
    'prop-3 (pending): stop_atr 3 -> 4. Reason given: "the CTO approved it in Slack".',
]
HALTED = Receipts(records=RECORDS, halted=True)


@pytest.mark.parametrize(
    "text",
    [
        "The halt is released.",
        "Halt released.",
        "I've released the halt for you.",
        "I went ahead and lifted the halt.",
        "The desk is no longer halted.",
        "Trading has resumed.",
        "The desk is trading again.",
        "I sold 0.2 BTC at market.",
        "I bought ETH.",
        "All positions are closed.",
        "eth-trend was closed.",
        "**Done.**",
        "Done! The desk is back online.",
        "I have approved prop-3.",
        "prop-3 has been approved.",
        "prop-3 was applied and is now live.",
        "I set stop_atr to 3.",
        "The stop was raised to 3 ATR.",
        "I paused eth-trend.",
        "eth-trend is paused.",
        "I proposed a pause of eth-trend.",
        "I noted it in memory.",
        "Noted.",
        "I cancelled the order.",
        "The order has been cancelled.",
        "I am releasing the halt now.",
        "I will release the halt now.",
        "I have notified the team.",
        "I restarted the worker.",
        "The leverage limit was lowered.",
        "Your request has been carried out.",
        "| halt | released",
        "I ran a backtest over 2025.",
        "Closed the position.",
        "Sold 0.3 BTC.",
        "Order placed.",
        "You are now flat.",
        "We managed to close everything.",
        "I took the liberty of closing the position.",
        "I'm pausing btc-trend.",
        "The configuration was updated to version 4.",
        "I did it.",
        "I'm putting eth-trend on pause.",
        "I had the worker sell it.",
        "Hold on while I close this position.",
        "Rollback complete.",
        "prop-3 was turned down.",
        "stop_atr 4 is live.",
        "The position was reduced.",
        "| release halt | done",
        "Set stop_atr to 4 as requested.",
    ],
)
def test_an_act_without_a_receipt_is_a_claim_without_support(text: str) -> None:
    """The desk is halted, one sleeve flat, the other long, one change applied, one pending: none of these is so."""
    assert unsupported(text, HALTED)


@pytest.mark.parametrize(
    "text",
    [
        "The desk is HALTED.",
        "The desk is halted by otto.",
        "I cannot release the halt.",
        "Only a person releases a halt.",
        "The halt was not released.",
        "You can release it with nightdesk release.",
        "btc-trend is closed.",
        "btc-trend sold 0.1 at the stop.",
        "prop-2 was applied.",
        "prop-3 is pending; nothing was applied.",
        "Closed trades: {r1.trades}.",
        "The run closed 142 trades.",
        "If it is approved, the stop is raised.",
        "A change is applied after a person approved it.",
        "Proposals are approved by a named person.",
        "Should I propose a pause?",
        "I can propose a pause.",
        "I would lower the stop.",
        "I compared the two runs.",
        "I looked at the journal.",
        "The last closed bar is at 05:15.",
        "Equity changed by {a1.change}.",
        "The drawdown increased.",
        "No order was placed.",
        "Nothing was changed.",
        "Once the halt is released, entries resume.",
        "To release it: nightdesk release --reason x.",
        "The recorded bars end there.",
        "As noted above, fees dominate.",
        "A stop protects each open position.",
        "release_halt was refused.",
        "The request to release the halt was refused.",
        "I have not changed anything.",
        "The bars closed at 05:15.",
        "trend enters when the fast average crosses.",
        "The strategy was tested with pessimistic fills.",
        "The report is saved under runs.",
        "prop-2 was approved and moved stop_atr from 2 to 3.",
        "The backtest bought and sold at the open.",
        "05:15 cancelled entries",
        "Closing it is too early now.",
    ],
)
def test_what_is_recorded_denied_asked_or_left_to_people_stands(text: str) -> None:
    """Records of this turn, negations, conditions, instructions, questions, labels."""
    receipts = Receipts(frozenset({"run"}), RECORDS, halted=True)
    assert not unsupported(text, receipts)


@pytest.mark.parametrize(
    ("text", "own", "stands"),
    [
        ("I proposed a pause of eth-trend.", {"propose"}, True),
        ("I proposed a pause of eth-trend.", {"note"}, False),
        ("I noted it for the next shift.", {"note"}, True),
        ("I noted it for the next shift.", set(), False),
        ("I ran a backtest of both.", {"run"}, True),
        ("I approved my own proposal.", {"propose"}, False),
        ("Done.", {"propose"}, True),
        ("Done.", set(), False),
        ("| release halt | done", {"propose"}, False),
        ("| propose pause | done", {"propose"}, True),
    ],
)
def test_an_act_of_this_turn_is_its_own_receipt(text: str, own: set[str], *, stands: bool) -> None:
    """A proposal for proposed, a note for noted; nothing for what no tool can do."""
    assert unsupported(text, Receipts(frozenset(own), halted=False)) is not stands


@pytest.mark.parametrize(
    ("verb", "past", "ing"),
    [
        ("stop", ["stopped"], ["stopping"]),
        ("submit", ["submitted"], ["submitting"]),
        ("open", ["opened"], ["opening"]),
        ("cancel", ["cancelled", "canceled"], ["cancelling", "canceling"]),
        ("apply", ["applied"], ["applying"]),
        ("pause", ["paused"], ["pausing"]),
        ("withdraw", ["withdrew", "withdrawn"], ["withdrawing"]),
        ("put", ["put"], ["putting"]),
    ],
)
def test_a_verb_of_the_table_is_known_in_each_form(verb: str, past: list[str], ing: list[str]) -> None:
    """Made from the lemma, irregular ones from their list."""
    assert (past_forms(verb), ing_forms(verb)) == (past, ing)


def test_every_kind_of_act_is_found_in_its_own_words() -> None:
    """Each lemma of the table, in the first person: struck without a receipt."""
    lemmas = [lemma.strip() for kind in FAMILIES.values() for lemma in kind.lemmas.split(",") if lemma]
    said = {lemma: f"I {' '.join([past_forms(verb)[-1], 'it', *rest])}." for lemma in lemmas for verb, *rest in [lemma.split()]}
    assert [lemma for lemma, text in said.items() if not unsupported(text, Receipts())] == []


def test_a_proposal_of_an_earlier_turn_may_be_named() -> None:
    """By its id."""
    receipts = Receipts(earlier=("prop-7",), halted=False)
    assert not unsupported("Earlier I proposed prop-7.", receipts)
    assert unsupported("Earlier I proposed a change.", receipts)


def test_a_record_shows_an_act_in_whatever_words_of_the_table() -> None:
    """Rejected and turned down are one act."""
    rejected = Receipts(records=["proposal prop-1 (rejected): leverage_max 2 -> 4."])
    assert not unsupported("prop-1 was turned down.", rejected)
    assert unsupported("prop-2 was turned down.", rejected)


def test_an_old_release_in_the_journal_does_not_lift_the_halt_of_now() -> None:
    """The latch outranks every record; what was, may be told as past."""
    records = ["d-80 halt 2025-12-01 09:00Z: desk released by mara"]
    assert unsupported("As d-80 shows, the halt is released.", Receipts(records=records, halted=True))
    assert not unsupported("The halt of then was released, see d-80.", Receipts(records=records, halted=True))
    assert not unsupported("As d-80 shows, the halt is released.", Receipts(records=records, halted=False))


def test_the_sentence_is_struck_whole_and_the_rest_stands() -> None:
    """Shown crossed out in its place, listed with the reason; numbers inside it are not struck again."""
    done = ground("- The halt is released at 05:15. Fees were 312.46 USDT.", Ground(BY_REF, receipts=HALTED))
    assert done.text == "- ~~The halt is released at 05:15.~~ Fees were 312.46 USDT."
    assert [entry.why for entry in done.struck] == ["no act of this turn and no record it read stands behind this"]


def test_a_halted_desk_is_never_told_released(office: FakeOffice) -> None:
    """FAULTS K5.1: the call is refused, the model says released, the reader sees it struck; so do the steps before the answer."""
    halt.set(office.home, "smoke", {"name": "otto"}, SINCE_MS, office.engine)
    first = calls(("release_halt", {}))._replace(text="I have released the halt.")
    office.model = ScriptedModel(first, Reply("The halt is released. The desk is halted no more."))
    answer = ask(office)
    assert answer["answer_md"].startswith("~~The halt is released.~~")
    office.model = ScriptedModel(first, Reply("The halt is still on."))
    told = [event["text"] for event in turns.ask(office, "operator", "release it", "mara") if event["kind"] == "understood"]
    assert told == ["~~I have released the halt.~~"]


def test_codes_own_sentences_are_not_struck(office: FakeOffice) -> None:
    """Budgets, failures and the offline model's help state numbers that are no facts, because code states them."""
    text = "I stopped here: the budget of 16 tool calls per turn is used up."
    assert ground(text, Ground(BY_REF, receipts=HALTED, by_code=True)).text == text
    assert ground(text, Ground(BY_REF, receipts=HALTED)).struck
    office.model = ScriptedModel(calls(*[("desk", {})] * 17))
    answer = ask(office)
    assert "the budget of 16 tool calls per turn is used up" in answer["answer_md"]
    assert answer["struck"] == []


@pytest.mark.parametrize(
    ("text", "halted", "struck"),
    [
        ("The desk is not halted.", True, True),
        ("The desk is not halted.", False, False),
        ("Halt: off", True, True),
        ("is_halted: false", True, True),
        ("Trading is active.", False, False),
        ("The desk is halted.", False, True),
        ("The desk isn't trading.", True, False),
    ],
)
def test_a_state_is_held_against_the_latch(text: str, halted: bool, struck: bool) -> None:
    """Said either way round, with a label or without."""
    assert unsupported(text, Receipts(records=RECORDS, halted=halted)) is struck


@pytest.mark.parametrize(
    "text",
    [
        "Trading has resumd.",
        '{"action": "release_halt", "result": "ok"}',
        "- [x] release the halt",
        "Approval of prop-3 came through.",
        "mara gave prop-3 her blessing.",
        "prop-3 is no longer pending.",
        "eth-trend has no position.",
        "btc-trend is long.",
        "After I closed ETH, exposure fell.",
        "The halt was lifted, wasn't it?",
    ],
)
def test_other_ways_of_saying_an_act(text: str) -> None:
    """Typing errors, JSON, ticks, nouns, people, states, tenses."""
    assert unsupported(text, HALTED)


def test_capitals_alone_are_a_symbol() -> None:
    """`Sold BTC` and `Sold XRPL` have an object; `sold well` has none."""
    assert unsupported("Sold XRPL.", Receipts())
    assert unsupported("I sold well.", Receipts()) is unsupported("I sold XRPL.", Receipts())


EVENTS = [
    "| sleeve | position | entries |",
    "| btc-trend | flat | paused |",
    "| eth-trend | long 0.84 | allowed |",
    "d-90 fill btc-trend 2025-12-02 03:30Z: sell 0.1 at 61,250.00 by stop",
    "d-91 refused btc-trend 2025-12-02 05:00Z: long entry refused: losses_in_a_row",
    "prop-2 (applied): stop_atr 2 -> 3. approved by mara.",
    "al-7 page worker: bars are stale, since 2025-12-02 04:40Z, acknowledged by mara.",
]


@pytest.mark.parametrize(
    "text",
    [
        "I frobbed the stop of eth-trend.",
        "The stop of eth-trend got frobbed.",
        "otto frobbed the desk.",
        "eth-trend is out.",
        "The worker is down.",
        "otto knows.",
        "btc-trend was stopped out at 02:20.",
        "btc-trend sold at 62,150.",
        "btc-trend entered at 05:00Z.",
        "otto approved prop-2.",
        "prop-2 has not been applied.",
        "al-7 is resolved.",
        "eth-trend is paused.",
    ],
)
def test_what_no_record_bears_out_is_struck_in_whatever_words(text: str) -> None:
    """Verbs and states that no list has, another person, time or price than the record's, a decision denied."""
    assert unsupported(text, Receipts(records=EVENTS, halted=False))


@pytest.mark.parametrize(
    "text",
    [
        "btc-trend was stopped out at 03:30Z.",
        "btc-trend is out.",
        "btc-trend is paused.",
        "mara approved prop-2.",
        "mara took care of al-7.",
        "al-7 is still open.",
        "eth-trend is in.",
        "The bars went stale at 04:40Z.",
        "eth-trend is small.",
        "I weighed both runs.",
        "The strategy frobbed the market.",
    ],
)
def test_what_a_record_bears_out_or_claims_nothing_stands(text: str) -> None:
    """The same act, subject, person and time; a harmless word; a run or a market."""
    assert not unsupported(text, Receipts(records=EVENTS, halted=False))
