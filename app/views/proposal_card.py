"""A proposal's card: everything a person needs before deciding, as JSON with a list of labelled rows.

Called by the command line, the API and Slack. The rows are built here, once, from the proposal, its stored evidence runs and
warnings; app/cli/card.py, app/ui/card.py and app/slack/blocks.py only paint them. Rows of one kind follow each other; of a
table (TABLES), the first row is the head.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from app.home.home import Home
from app.views.evidence_doubts import doubts
from app.views.maker_card import maker_rows
from engine.amounts import percent_text, ratio_text, signed_text
from engine.clock import utc
from engine.control.canary import canaries, watch_rows
from engine.control.config import version_of
from engine.control.draft import key_text, value_text
from engine.control.evidence import comparison_text, equal_worst_case, reward_text, verdict_words
from engine.control.makers import KIND as MAKER
from engine.control.outcome import runs_now
from engine.control.proposals import changes_by_sleeve, view
from engine.errors import DeskError
from engine.sim.life import life_of
from engine.store.runs import Runs
from engine.store.tables import Proposal
from engine.watch.canaries import read_status, state_text
from engine.watch.window import desk_ms, mode_of

FIGURES = (
    ("total return", "total_return_frac", "frac"),
    ("Sharpe (95 %)", "sharpe", "ratio"),
    ("max drawdown", "max_drawdown_frac", "frac"),
    ("round trips", "trades", "count"),
    ("win rate", "win_rate", "frac"),
    ("fees paid", "fees", "number"),
    ("funding (+ received, - paid)", "funding", "number"),
)
SIGNED = ("total_return_frac", "funding")  # of them
INTERVAL = ("sharpe_low", "sharpe_high")
WORST = (("risk at the stop", "risk_frac"), ("gross exposure", "gross_frac"), ("leverage", "leverage"))
NOT_SHOWN = (
    "kind",
    "changes",
    "from_versions",
    "back_to",
    "rollback_of",
    "sleeve",
    "apply_to_open",
    "models",
    "canary",
    "unwatched",
    "event",
    "keeps",
    "terms",
    "tapes",
    "after",
)  # other rows say them
TABLES = ("diff", "worst", "model", "evidence")
NONE = "-"
CardKind = Literal[  # the API answers with these and no other
    "text", "direction", "diff", "applies", "worst", "model", "evidence", "finding", "warning", "expiry", "decision", "now"
]


class CardRow(NamedTuple):
    """One fact of a card."""

    label: str
    cells: tuple[str, ...]
    kind: CardKind = "text"


def card(home: Home, row: Proposal, now_ms: int) -> dict[str, Any]:
    """The proposal as JSON, with its evidence runs, its warnings and `rows`, the facts to show."""
    value = view(home.engine, row)
    runs = {_role(e): _run(home, str(e["run_id"])) for e in value["evidence"] if {"role", "run_id"} <= set(e)}
    alike = any(e.get("told_apart") is False or "cannot be told apart" in str(e) for e in value["evidence"])
    now = runs_now(home.engine, home.path, row)
    found = {
        **value,
        "verdict": verdict_words(row.direction, value["exposure"]),
        "runs_now": now and now._asdict(),
        "canary_state": _canary_now(home, row) if "canary" in value["diff"] else None,
        "expires_in_s": max(0, row.expires_ms - now_ms) / 1000 if row.state == "pending" else None,
        "expires": left(row.expires_ms, now_ms) if row.state == "pending" else None,
        "evidence_runs": runs,
        "told_apart": False if alike else None,
        "warnings": [_warned(e) for e in value["evidence"] if e.get("role") == "warning"] or _warnings(home, value),
    }
    found["warnings"] = [*_over(value, desk_ms(home.path)), *found["warnings"]] if row.state == "pending" else found["warnings"]
    mode = mode_of(home.desk_journal).upper()
    against = doubts(home, runs.values(), [part["sleeve"] for part in value["parts"]]) if row.state == "pending" else []
    return {**found, "rows": [made._asdict() for made in rows_of({**found, "doubts": against}, mode)]}


def _canary_now(home: Home, row: Proposal) -> str | None:
    """Where an applied canary is; None while it waits, and once a later one of the sleeve took its place."""
    done = read_status(home.path)
    found = [state_text(run, done.get(run.key) or {}) for run in canaries(home.engine) if run.proposal == row.id]
    return "; ".join(found) or None


def rollback_card(home: Home, row: Proposal) -> dict[str, Any]:
    """A rollback before anybody asked for it: its diff and its direction against what runs, as a card's rows."""
    value = view(home.engine, row)
    names = value["diff"]["from_versions"]
    changes = changes_by_sleeve(list(names), value["diff"].get("changes") or [])
    value["parts"] = [{"sleeve": name, "from_version": number, "changes": changes[name]} for name, number in names.items()]
    found = {**value, "evidence_runs": {}, "told_apart": None, "warnings": _warnings(home, value)}
    rows = [*_change(found), *_canary(found), *_warning_rows(found)]
    return {**found, "verdict": verdict_words(row.direction, value["exposure"]), "rows": [r._asdict() for r in rows]}


def _warned(item: Mapping[str, Any]) -> str:
    """A stored warning; of several sleeves with the sleeve's name."""
    return f"{item['sleeve']}: {item.get('text')}" if item.get("sleeve") else str(item.get("text"))


def _warning_rows(value: Mapping[str, Any]) -> list[CardRow]:
    return [CardRow("warning", (warning,), "warning") for warning in value["warnings"]]


def _role(item: Mapping[str, Any]) -> str:
    """What a run of the evidence shows: `base`, `changed`; of several sleeves with the sleeve's name."""
    return f"{item['sleeve']} {item['role']}" if item.get("sleeve") else str(item["role"])


def rows_of(value: Mapping[str, Any], mode: str = "PAPER") -> list[CardRow]:
    """The card's facts in the order they are shown; `mode`: what the desk trades, in capitals."""
    return [
        CardRow("proposal", (f"{value['id']}, {value['state']}, {mode}",)),
        *_change(value),
        *_canary(value),
        *_models(value),
        *_evidence(value),
        *(CardRow("in doubt", (text,), "warning") for text in value.get("doubts") or ()),
        *_warning_rows(value),
        CardRow("why", (value["rationale"] or NONE,)),
        CardRow("requested by", (f"{_requester(value['requester'])} at {utc(value['created_ms'])}",)),
        CardRow("diff", (value["diff_sha256"][:12],)),
        _standing(value),
        *([CardRow("runs now", (value["runs_now"]["text"],), "now")] if value.get("runs_now") else []),
    ]


def _change(value: Mapping[str, Any]) -> list[CardRow]:
    """What the change is: its sleeves, its direction against what runs, its diff, its worst case."""
    why = str(value["exposure"].get("why") or "")
    verdict = verdict_words(value["direction"], value["exposure"])
    direction = CardRow("direction", (f"{verdict} - {why}" if why else verdict,), "direction")
    return [CardRow("sleeve", (_sleeves(value),)), direction, *_diff(value), *_worst(value)]


def _sleeves(value: Mapping[str, Any]) -> str:
    """Each sleeve with the version of its own that the change is made against; several are applied all or none."""
    parts = value["parts"]
    if value["kind"] == MAKER:
        return str(value["sleeve"])
    if not parts:
        return f"whole desk, version {value['base_version']}"
    text = ", ".join(f"{p['sleeve']}, from version {p['from_version']}" for p in parts)
    return text if len(parts) == 1 else f"{text}; all or none"


def _diff(value: Mapping[str, Any]) -> Iterator[CardRow]:
    """Each changed parameter: now, proposed, bounds, and how it moves risk."""
    diff, moves = value["diff"], value["exposure"].get("keys") or {}
    changes = diff.get("changes") or []
    if changes:
        yield CardRow("parameter", ("now", "proposed", "bounds", "moves risk"), "diff")
    for c in changes:
        cells = (
            value_cell(c, "old"),
            value_cell(c, "value"),
            _allowed(c),
            moves.get(c["key"]) or NONE,
        )
        yield CardRow(key_text(str(c["key"])), cells, "diff")
    if value["kind"] == "rollback":
        whole = diff.get("rollback_of")
        goals = {"the desk": whole} if whole is not None else diff.get("back_to") or {}
        yield CardRow("back to", (", ".join(f"version {n} of {name}" for name, n in goals.items()) or NONE,), "applies")
    elif value["kind"] == MAKER:
        yield from (CardRow(*row) for row in maker_rows(diff))
    elif changes:
        at_once = diff.get("apply_to_open") or value["kind"] == "code"
        applies = "take the change at once" if at_once else "keep the version they were opened under"
        yield CardRow("open positions", (applies,), "applies")
    others = ", ".join(f"{k} {v}" for k, v in diff.items() if k not in NOT_SHOWN and v not in (None, "", []))
    if others or not changes:
        yield CardRow(value["kind"], (others or "no parameter changes",))


def _allowed(change: Mapping[str, Any]) -> str:
    """A parameter's bounds, or the words that it may be."""
    if change.get("low") is None:
        return " or ".join(change.get("choices") or ()) or NONE
    return f"{number(change['low'])} to {number(change['high'])} {change.get('unit') or ''}".strip()


def _worst(value: Mapping[str, Any]) -> Iterator[CardRow]:
    """Worst case before and after, for each sleeve that changes; and why an equal one still counts as loosening."""
    exposure = value["exposure"]
    pairs = exposure.get("sleeves") or ({"": exposure} if "before" in exposure else {})
    if pairs:
        yield CardRow("worst case, in multiples of the sleeve's equity", ("before", "after"), "worst")
    for sleeve, pair in pairs.items():
        for label, key in WORST:
            cells = tuple(number(pair[side].get(key), "not known") for side in ("before", "after"))
            yield CardRow(f"{sleeve}: {label}" if sleeve else label, cells, "worst")
    if text := equal_worst_case(value["direction"], exposure, value["diff"].get("changes") or []):
        yield CardRow("worst case", (text,), "warning")


def _canary(value: Mapping[str, Any]) -> Iterator[CardRow]:
    """A canary before anybody approves it: its part of the size, its breaches with their numbers, and what follows. Of the
    proposal after one what it measured."""
    for label, text in watch_rows(value["diff"], value["parts"]):
        yield CardRow(label, (text,))
    if value.get("canary_state"):
        yield CardRow("canary now", (str(value["canary_state"]),), "finding")
    if keeps := value["diff"].get("keeps"):
        yield CardRow("as they are", (", ".join(key_text(name) for name in keeps),))
    for e in value["evidence"]:
        if e.get("role") == "canary":
            yield CardRow("canary", (str(e["text"]),), "finding")


def _models(value: Mapping[str, Any]) -> Iterator[CardRow]:
    """Of each model whose version changes: its gates, both versions and their baselines side by side, and what differs."""
    for e in value["evidence"]:
        if e.get("role") != "model":
            continue
        about = f"{e['sleeve']}: " if e.get("sleeve") else ""
        yield CardRow(f"{about}gates of {e['model']}@{e['version']}", (str(e["gates"]),))
        yield CardRow(str(e["model"]), tuple(map(str, e["columns"])), "model")
        for label, *cells in e["rows"]:
            yield CardRow(str(label), tuple(map(str, cells)), "model")
        for text in e["differs"]:
            yield CardRow(f"{about}{e['model']}", (str(text),), "finding")


def _evidence(value: Mapping[str, Any]) -> Iterator[CardRow]:
    """The evidence runs side by side, their data, and what the comparison says."""
    runs = value["evidence_runs"]
    if not runs:
        yield CardRow("evidence", ("none is needed for this kind of proposal",))
        return
    yield CardRow("evidence", tuple(runs), "evidence")
    yield CardRow("run", tuple(str(run["run_id"]) for run in runs.values()), "evidence")
    for label, part in (("traded", "share"), ("stopped", "ended")):  # first: what is not comparable says so before any figure
        cells = tuple(str((run.get("life") or {}).get(part) or NONE) for run in runs.values())
        if any(cell != NONE for cell in cells):
            yield CardRow(label, cells, "evidence")
    for label, key, unit in FIGURES:
        yield CardRow(label, tuple(_metric(run.get("metrics") or {}, key, unit) for run in runs.values()), "evidence")
    for label, n in (("data", 0), ("range", 1), ("bars", 2)):
        yield CardRow(label, tuple(_data(run)[n] for run in runs.values()), "evidence")
    yield from _trials(runs.values())
    if value["told_apart"] is False:
        apart = all(e.get("verdict") != "not comparable" for e in value["evidence"])
        word = "CANNOT BE TOLD APART" if apart else "ARE NOT COMPARABLE"
        yield CardRow("verdict", (f"THE TWO {word} on this evidence",), "finding")
    for role, run in runs.items():
        if (run.get("life") or {}).get("ended"):
            yield CardRow(f"{role} run", (run["life"]["text"],), "finding")
    for e in value["evidence"]:
        about = f"{e['sleeve']} " if e.get("sleeve") else ""
        if e.get("role") == "comparison" and (text := comparison_text(e)):
            yield CardRow(f"{about}comparison", (text,), "finding")
        if e.get("role") == "beyond" and e.get("text"):
            yield CardRow(f"{about}evidence", (str(e["text"]),), "warning")


def _trials(runs: Collection[Mapping[str, Any]]) -> Iterator[CardRow]:
    """Which of how many variants of its hypothesis each run is, and what is left of its Sharpe ratio after so many."""
    if not any(run.get("trial") for run in runs):
        return
    found = [run.get("trial") or {} for run in runs]
    which = tuple(f"{one['number']:,} of {one['trials']:,}" if one else NONE for one in found)
    yield CardRow("variant", which, "evidence")
    yield CardRow("deflated Sharpe", tuple(_figure(one.get("deflated_sharpe"), "ratio") for one in found), "evidence")
    yield CardRow("plateau", tuple(str(one.get("plateau") or NONE) for one in found), "evidence")


def _data(run: Mapping[str, Any]) -> tuple[str, str, str]:
    """(source, range, bars) behind a run's figures; why they cannot be read in place of the source."""
    if run.get("error"):
        return str(run["error"]), NONE, NONE
    span = f"{utc(run.get('first_ms'))[:10]} to {utc(run.get('last_ms'))[:10]}"
    return str(run.get("source") or "unknown source").upper(), span, _figure(run.get("bars"), "count")


def _standing(value: Mapping[str, Any]) -> CardRow:
    """When it expires; or how it was decided, by whom, and why."""
    if value["state"] == "pending":
        by = value["decided_by"] or {}
        first = f"; {by.get('name')} has approved it, it waits for a second person" if by.get("one_of_two") else ""
        return CardRow("expires", (f"{utc(value['expires_ms'])}{first}",), "expiry")
    by = value["decided_by"] or {}
    who = f" by {by.get('name')} ({by.get('assurance')}, {by.get('os_user')}, {by.get('channel')})" if by else ""
    version = f" as version {value['applied_version']}" if value["applied_version"] else ""
    reason = f": {value['state_reason']}" if value["state_reason"] else ""
    when = f" at {utc(value['decided_ms'])}" if value["decided_ms"] else ""
    journal = f"; journal {value['journal_id']}" if value["journal_id"] else ""
    return CardRow("decision", (f"{value['state']}{version}{who}{when}{reason}{journal}",), "decision")


def value_cell(change: Mapping[str, Any], which: str) -> str:
    """The `old` or the proposed `value` of a change, as every list and card has it."""
    return number(value_text(change["key"], change[which]))


def number(value: Any, none: str = NONE) -> str:
    """A parameter's value or a multiple, short."""
    if value is None:
        return none
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


def _metric(metrics: Mapping[str, Any], key: str, unit: str) -> str:
    """A figure of a run in its unit; a ratio with its interval, a result with its sign."""
    if unit == "ratio":
        return ratio_text(metrics.get(key), metrics.get(f"{key}_low"), metrics.get(f"{key}_high"))
    return _figure(metrics.get(key), unit, sign=key in SIGNED)


def _figure(value: Any, unit: str, *, sign: bool = False) -> str:
    """A value in its unit."""
    if not isinstance(value, int | float):
        return NONE
    if unit == "frac":
        return percent_text(value, sign=sign)
    return f"{value:,.0f}" if unit == "count" else signed_text(value, sign=sign)


def _requester(requester: Mapping[str, Any]) -> str:
    """Role, person and thread that proposed it."""
    parts = ((requester.get("role"), "{}"), (requester.get("person"), "for {}"), (requester.get("thread"), "in {}"))
    return " ".join(form.format(name) for name, form in parts if name) or "unknown"


def line_of(head: Sequence[str], row: Mapping[str, Any]) -> str:
    """A table's row as one line, for a painter without columns: `stop_atr: now 2, proposed 3, ...`."""
    return f"{row['label']}: " + ", ".join(f"{name} {cell}" for name, cell in zip(head, row["cells"], strict=False))


def _run(home: Home, run_id: str) -> dict[str, Any]:
    """A run's metrics, range and source; or why it cannot be read."""
    runs = Runs(home.runs, home.engine)
    try:
        runs.require_unchanged(run_id)
        run = runs.load(run_id)
    except DeskError as error:
        return {"run_id": run_id, "error": str(error)}
    data = run.get("data", {})
    figures = {key: run.get("metrics", {}).get(key) for key in (*(key for _, key, _ in FIGURES), *INTERVAL)}
    place = {k: data.get(k) for k in ("source", "bars", "first_ms", "last_ms", "file_sha256")}
    life = life_of(run)
    lived = {"text": life.text, "share": life.share, "ended": life.ended, "stopped_ms": life.stopped_ms}
    from engine.research.ledger import place_of_run  # it loads numpy, which the supervisor holds only when it sends a card

    tried = place_of_run(home.engine, run_id)
    return {"run_id": run_id, "metrics": figures, **place, "life": lived, "trial": tried and tried.as_json()}


def _warnings(home: Home, value: Mapping[str, Any]) -> list[str]:
    """Warnings to show before a decision; they refuse nothing."""
    if value["kind"] not in ("change", "rollback"):
        return []
    try:
        desk = version_of(home.engine, value["base_version"], home.path).config
        now = {part["sleeve"]: dict(desk.sleeve(part["sleeve"]).params) for part in value["parts"]}
    except DeskError as error:
        return [str(error)]
    found = {p["sleeve"]: reward_text(now[p["sleeve"]] | {c["key"]: c["value"] for c in p["changes"]}) for p in value["parts"]}
    return [f"{name}: {text}" if len(found) > 1 else text for name, text in found.items() if text]


def _over(value: Mapping[str, Any], now_ms: int | None) -> list[str]:
    """Pauses whose end the desk has passed while the proposal waited: to approve one pauses nothing. `now_ms`: desk time."""
    ends = [c["value"] for c in value["diff"].get("changes") or [] if c.get("key") == "resumes_ms" and c.get("value")]
    passed = [end for end in ends if now_ms is not None and end <= now_ms]
    return [f"the pause's end, {utc(end)}, is over on the desk: approved now it pauses nothing" for end in passed]


def left(expires_ms: int, now_ms: int) -> str:
    """Time until expiry: `expires in 3 h 12 min`."""
    minutes = max(0, expires_ms - now_ms) // 60_000
    return f"expires in {minutes // 60} h {minutes % 60} min" if expires_ms > now_ms else "expired"
