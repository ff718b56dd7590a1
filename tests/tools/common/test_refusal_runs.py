"""Equal refusals in a row are one stretch: the same figures as from parsing every line, whatever names and rules say."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.journal import Event, Journal, read
from engine.watch.window import FAR_MS, journal_of, raw_lines
from tools.common import refusal_runs as refusal_module
from tools.common.event_text import kind_of
from tools.common.refusal_runs import RefusalRun, fits, refusal_runs, search, worth_reading

NASTY = ["a", 'b","signal":"long', 'c"refused_by":"x', "d\\", "ü\ud83d"]
WANTED = ["refused", "fill", "breaker"]


def body_of(kind: str, sleeve: str, rule: str, signal: str, sized: bool) -> dict[str, Any]:
    """An event's body of that kind."""
    if kind == "decision":
        return {"action": "hold", "sleeve": sleeve, "signal": signal}
    if kind != "refused":
        return {"sleeve": sleeve, "side": "buy", "quantity": 1.0, "price": 1.0}
    body = {"action": "refused", "refused_by": rule, "signal": signal, "sleeve": sleeve, "features": {'"sleeve":"a",': 1.0}}
    return body | ({"size": {"wanted": 1.0, "binding": rule}} if sized else {})


def write(home: Path, events: list[tuple[str, str, str, str, bool]]) -> Path:
    """A journal with these events, one a bar."""
    journal = Journal(journal_of(home), "worker")
    for n, (kind, *words) in enumerate(events):
        journal.append([Event("decision" if kind == "refused" else kind, n, body_of(kind, *words))], sync=False)
    journal.close()
    return journal.path


def one_by_one(path: Path, sleeve: str | None, text: str | None) -> list[list[Event]]:
    """The stretches, from parsing every line."""
    runs: list[list[Event]] = []
    last: dict[Any, tuple[Any, list[Event]]] = {}
    for event in read(path):
        if kind_of(event) not in WANTED or not fits(event, sleeve, text):
            continue
        b = event.body
        says = (b["refused_by"], b["signal"]) if kind_of(event) == "refused" and text is None else None
        before = last.get(b["sleeve"])
        if before is not None and says is not None and before[0] == says:
            before[1].append(event)
            continue
        runs.append([event])
        last[b["sleeve"]] = says, runs[-1]
    return runs


def found(path: Path, sleeve: str | None = None, text: str | None = None) -> list[RefusalRun]:
    """The stretches of the whole journal."""
    return refusal_runs(raw_lines(path, -1, FAR_MS, None, worth_reading(WANTED)), WANTED, sleeve, text)


words = st.tuples(
    st.sampled_from(["refused", "refused", "refused", "fill", "breaker", "decision"]),
    st.sampled_from(NASTY),
    st.sampled_from(["drawdown", *NASTY]),
    st.sampled_from(["long", "short"]),
    st.booleans(),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=25), st.sampled_from([None, *NASTY]), st.sampled_from([None, "drawdown"]))
def test_they_equal_parsing_every_line(
    tmp_path_factory: pytest.TempPathFactory, events: list[Any], sleeve: str | None, text: str | None
) -> None:
    """First event, last event and length of each, in order."""
    path = write(tmp_path_factory.mktemp("home"), events)
    expected = [(run[0].seq, run[-1].seq, len(run)) for run in one_by_one(path, sleeve, text)]
    assert [(s.first.seq, s.last.seq, s.count) for s in found(path, sleeve, text)] == expected


def test_a_long_refusal_is_one_line_to_a_reader(tmp_path: Path) -> None:
    """Three thousand bars without an entry say it once, with the last bar's event."""
    path = write(tmp_path, [("refused", "a", "drawdown", "long", False)] * 3000)
    (stretch,) = found(path)
    assert (stretch.count, stretch.kind) == (3000, "refused")
    assert stretch.line().startswith("long entry refused: drawdown (at 3000 bars, the last 1970-01-01")
    assert stretch.line().endswith("d-3000)")


def test_a_search_is_kept_until_the_journal_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same question again reads no line; after one more record, or of another window, it reads again and sees it."""
    path = write(tmp_path, [("refused", "a", "drawdown", "long", False), ("fill", "a", "", "", False)])
    reads = list[Path]()
    monkeypatch.setattr(refusal_module, "raw_lines", lambda *words: reads.append(words[0]) or raw_lines(*words))

    def ask(up_to: int = FAR_MS) -> list[tuple[str, int]]:
        runs = search(path, (-1, up_to), ("decision", "fill"), WANTED, None, None)
        return [(run.kind, run.count) for run in runs]

    assert ask() == ask() == [("refused", 1), ("fill", 1)]
    assert len(reads) == 1
    assert ask(0) == [("refused", 1)]
    journal = Journal(path, "worker")
    journal.append([Event("fill", 2, body_of("fill", "a", "", "", False))])
    journal.close()
    assert ask() == [("refused", 1), ("fill", 1), ("fill", 1)]
    assert len(reads) == 3
    monkeypatch.setattr(refusal_module, "KEPT_RUNS", 3)  # too many to keep: read each time, and nothing older is lost
    assert (ask(1), ask(1)) == ([("refused", 1), ("fill", 1)],) * 2
    assert len(reads) == 4
    assert len(ask(2)) == len(ask(2)) == 3
    assert len(reads) == 6
