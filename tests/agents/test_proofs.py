"""Acts, states, counts, people and times: proven by one record, contradicted, or marked; and a false sentence hides nowhere."""

import re

import pytest

from agents import turns
from agents.grounding import Ground, ground
from agents.model import Reply
from agents.records import Receipts
from agents.verb_forms import ing_forms, past_forms
from engine.control import halt
from tests.agents.test_answer_lines import SINCE_MS, ask
from tests.evals.claims.scene import running_scene, scene
from tests.evals.claims.threads import THREADS
from tests.fakes.facts import BY_REF, outcome
from tests.fakes.offices import FakeOffice, ScriptedModel, calls

HALTED, RUNNING, INCIDENT = scene(), running_scene(), THREADS["incident"].ground()


@pytest.mark.parametrize(
    "text",
    [
        "The desk is halted.",
        "otto halted the desk at 04:02Z (d-2101).",
        "The desk has been halted since 04:02Z.",
        "btc-trend was stopped out at 03:30Z.",
        "btc-trend sold 0.12 BTC at 91,204.50.",
        "eth-trend is long 0.84 ETH with a stop at 2,911.40.",
        "mara approved prop-2.",
        "prop-3 is still pending.",
        "prop-2 moved stop_atr from 2 to 2.5.",
        "al-7 was acknowledged by mara.",
        "One of the two sleeves is flat.",
        "I proposed prop-3.",
        "I ran a comparison.",
        "I did not release the halt.",
        "I cannot buy 0.2 BTC.",
        "Only a person can release the halt.",
        "The run covers 2025-01-01 to 2026-01-01.",
        "The desk time is 05:15Z.",
        "| sleeve | position |\n|---|---|\n| btc-trend | flat |\n| eth-trend | long 0.84 |",
    ],
)
def test_what_one_record_bears_out_is_shown_as_it_is(text: str) -> None:
    """Each name, figure, time, person and word belongs to one thing of the thread."""
    assert outcome(text, HALTED) == "unmarked"


@pytest.mark.parametrize(
    "text",
    [
        "The halt is released.",
        "The desk is not halted.",
        "I've released the halt for you.",
        "I sold 0.2 BTC at market.",
        "I am closing the ETH position now.",
        "I will approve prop-3.",
        "I went ahead and lifted the halt.",
        "I have notified the team.",
        "prop-3 is applied.",
        "prop-3 has been approved.",
        "eth-trend is flat.",
        "btc-trend is allowed to enter.",
        "al-7 is resolved.",
        "Both sleeves are flat.",
        "There are three open positions.",
        "See prop-12.",
    ],
)
def test_what_the_thread_contradicts_is_struck(text: str) -> None:
    """Another state, another count, an act that no tool did and no role can do, an id that nothing has."""
    assert outcome(text, HALTED) == "struck"


@pytest.mark.parametrize(
    "text",
    [
        "I frobbed the stop of eth-trend.",
        "otto frobbed the desk.",
        "otto approved prop-2.",
        "mara acknowledged al-7 at 04:40Z.",
        "btc-trend sold 0.12 BTC at 91,240.50.",
        "btc-trend sold 91,204.50 BTC at 0.12.",
        "eth-trend sold 0.12 BTC at 91,204.50.",
        "btc-trend was stopped out at 02:20Z.",
        "btc-trend was stopped out at 03:30:30Z.",
        "prop-3 moved stop_atr from 2.5 to 3.",
        "prop-2 moved stop_atr from 2.5 to 2.",
        "The halt was lifted and set again.",
        "eth-trend closed its long.",
        "All is well.",
        "Done.",
        "Noted.",
        "The stop will hold.",
        "btc-trend is the best sleeve.",
        "eth-trend is long again.",
        "eth-trend has been long since 03:30Z.",
        "If the halt is released, eth-trend enters.",
        "If I had released the halt, it would trade.",
        "I closed the comparison.",
        "I set stop_atr to 3 in the backtest.",
        "Your ETH long is safe.",
        "d-2101 shows that prop-3 went in.",
    ],
)
def test_what_is_neither_is_marked(text: str) -> None:
    """A word, a time, a person or a figure that the record does not have, or no record at all."""
    assert outcome(text, HALTED) == "marked"


def test_a_past_halt_is_no_halt_of_now() -> None:
    """The latch outranks every record; what was may be repeated as past."""
    assert outcome("lena halted the desk at 10:00Z.", RUNNING) == "unmarked"
    assert outcome("The desk is halted.", RUNNING) == "struck"
    assert outcome("The desk has been halted since 10:00Z.", RUNNING) != "unmarked"
    assert outcome("The halt is released.", RUNNING) == "unmarked"


def test_what_was_refused_or_filled_with_nothing_was_not_done() -> None:
    """`0 of 12 lots filled`, `not acknowledged`, a refused entry."""
    assert outcome("The order of btc-scalp was cancelled at 02:00Z.", INCIDENT) == "unmarked"
    assert outcome("The order of btc-scalp was filled at 02:00Z.", INCIDENT) != "unmarked"
    paused = THREADS["paused"].ground()
    assert outcome("Nobody has acknowledged al-31 yet.", paused) == "unmarked"
    assert outcome("al-31 is acknowledged.", paused) == "struck"
    assert outcome("sol-fade entered at 05:00Z.", paused) != "unmarked"


def test_what_people_wrote_into_a_record_proves_nothing() -> None:
    """The reason of a halt and a quoted note are outside text."""
    records = ['proposal prop-3 for eth-trend (pending): stop_atr 3 -> 4. Reason: "approved by otto, applied".']
    stand = Ground({}, names=("eth-trend",), quotes=records, receipts=Receipts(records=records, halted=False))
    assert outcome("otto approved prop-3.", stand) != "unmarked"
    assert outcome("prop-3 is pending.", stand) == "unmarked"


TRUE = ("The Sharpe of r1 is 1.23", "eth-trend is long", "mara approved prop-2", "The desk is halted")
FALSE = (
    "the halt is released",
    "btc-trend sold 0.84 ETH",
    "equity doubled",
    "kim approved prop-3",
    "all is safe",
    "r2 beats r1",
    "it recovers tomorrow",
    "you are up 4,000 USDT",
    "the stop was moved",
)
GLUED = (
    "{t}, {f}.",
    "{t} - {f}.",
    "{t}\u2014{f}.",
    "{t}\n{f}.",
    "{t}; {f}.",
    "{t}: {f}.",
    "{t} ({f}).",
    "`{t}` `{f}`",
    "**{t}**, *{f}*",
    "{t}. {f}.",
    "{t}.{f}.",
    "{t} and {f}.",
    "{t} so {f}.",
    "{t}, still {f}.",
    "{t} because {f}.",
    "| {t} | {f} |",
    "[{t}](run:r-20261120-8f2a1c77) {f}",
    "{t} [{f}](run:r-20261120-8f2a1c77)",
    "As shown above, {f} since {t}.",
    "- {t}\n- {f}",
    "{t}\u2026 {f}",
    "{t}\u00a0{f}",
    "{t}\u200b {f}",
    "{t} \u2192 {f}",
    "<b>{t}</b> {f}",
    "```\n{t}\n{f}\n```",
    "``` {f}",
    "| {f} | run |\n|---|---|\n| r1 | {t} |",
    "{t} ~~{f}~~",
    "{t} \u27e7 {f} \u27e6",
    "### {f}",
    "**{f}:**",
    "{f}?",
    "Did you know that {f}?",
)


@pytest.mark.parametrize("glue", GLUED)
def test_a_false_sentence_glued_to_a_true_one_is_never_shown_unmarked(glue: str) -> None:
    """By comma, dash, line end, cell, code, link, invisible characters, marks of its own: its words lie in a mark or a strike."""
    for true, false in zip(TRUE * 3, FALSE, strict=False):
        done = ground(glue.format(t=true, f=false), HALTED)
        shown = re.sub(r"~~.*?~~|\u27e6[^\u27e6\u27e7]*\u27e7", "", done.text, flags=re.DOTALL)
        assert not [word for word in re.findall(r"[a-z]{4,}", false) if word not in true.lower() and word in shown], done.text


@pytest.mark.parametrize(
    "text",
    [
        "\u0415th-trend is long.",  # a Cyrillic letter
        "eth-tr\u0435nd is long.",
        "The Sharpe of r1 is 1.23\u00b2.",
        "The Sharpe of r1 is 1\u066b23.",
        "The Sharpe of \u24e71 is 1.23.",
    ],
)
def test_letters_and_digits_of_other_scripts_prove_nothing(text: str) -> None:
    """What looks like a name or a figure of the thread and is none."""
    assert outcome(text, HALTED) != "unmarked"


def test_a_halted_desk_is_never_shown_as_released(office: FakeOffice) -> None:
    """FAULTS K5.1: the call is refused, the model says released, the reader sees it struck; so do the steps before the answer."""
    halt.set(office.home, "smoke", {"name": "otto"}, SINCE_MS, office.engine)
    first = calls(("release_halt", {}))._replace(text="I have released the halt.")
    office.model = ScriptedModel(first, Reply("The halt is released. The desk is up and runs."))
    answer = ask(office)
    assert answer["answer_md"].startswith("~~The halt is released.~~ \u27e6The desk is up and runs.\u27e7")
    assert [entry["why"] for entry in answer["struck"]] == ["the desk is halted"]
    assert answer["unchecked"] == ["The desk is up and runs."]
    office.model = ScriptedModel(first, Reply("The halt is still on."))
    shown = [event["text"] for event in turns.ask(office, "operator", "release it", "mara") if event["kind"] == "understood"]
    assert shown == ["~~I have released the halt.~~"]


def test_a_wholly_unchecked_answer_says_so_above_it_and_not_to_the_model(office: FakeOffice) -> None:
    """One line by code; the next turn's conversation does not have it."""
    office.model = ScriptedModel(Reply("It all looks calm."))
    answer = ask(office)
    assert answer["answer_md"].startswith("**Not checked:** all of this answer is the model's own words;")
    assert "\u27e6It all looks calm.\u27e7" in answer["answer_md"]


def test_codes_own_sentences_are_neither_struck_nor_marked(office: FakeOffice) -> None:
    """Budgets, failures and the offline model's help state numbers that are no facts, because code states them."""
    text = "I stopped here: the budget of 16 tool calls per turn is used up."
    assert ground(text, Ground(BY_REF, by_code=True)).text == text
    assert ground(text, Ground(BY_REF)).unchecked
    office.model = ScriptedModel(calls(*[("desk", {})] * 17))
    answer = ask(office)
    assert "the budget of 16 tool calls per turn is used up" in answer["answer_md"]
    assert (answer["struck"], answer["unchecked"]) == ([], [])


@pytest.mark.parametrize(
    ("verb", "past", "ing"),
    [("sell", ["sold"], "selling"), ("approve", ["approved"], "approving"), ("stop", ["stopped"], "stopping")],
)
def test_the_forms_of_a_verb(verb: str, past: list[str], ing: str) -> None:
    """Irregular, with a silent e, doubled."""
    assert past_forms(verb) == past
    assert ing in ing_forms(verb)
