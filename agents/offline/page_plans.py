"""What people write and what words mean: runbooks, memory, notes, watches, definitions. Called by plans.py."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from agents.offline.account import words_left
from agents.offline.calls import ask_for, figures_of_trips, made
from agents.offline.drafts import asks_back, drafted, result_text
from agents.offline.fill import free_words
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.ways import SAY, ways
from agents.offline.words import LISTS, PATTERNS, numbers_in, says, stem, tidy, vocabulary
from tools.common import render
from tools.exposure import glossary

_RULES: Mapping[str, tuple[str, ...]] = {form: tuple(keys.split()) for form, keys in LISTS["rules"].items()}
_RULE = r"(?: \w+){0,2}? (?:rules?|breakers?|limits?|guards?|guardrails?|caps?|checks?|protections?|things?|brakes?|fuses?)\b"


def limits_meant(text: str) -> tuple[str, ...]:
    """The hard limits that a text names as a rule: `the drawdown rule`, `loss streak`; a key itself is none."""
    alone = (
        "entries paused",
        "loss streak",
        "losing streak",
        "position size",
        "consecutive losses",
        "consecutive loss",
        "losses in a row",
        "daily loss",
        "entry frequency",
    )
    said = next((keys for form, keys in _RULES.items() if re.search(rf"\b(?:{form}){_RULE}", text)), ())
    return said or next((keys for form, keys in _RULES.items() for name in alone if name in text and re.search(form, name)), ())


def rule_story(rule: str, of: CallResult) -> PlanOf:
    """What a rule checks, by the limits that declare it, and when it last did."""
    return partial(_story, rule, of)


def _story(rule: str, of: CallResult, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    keys = limits_meant(rule if rule in ("entries paused", "loss streak", "daily loss", "entry frequency") else f"{rule} rule")
    kept = {name: of.args[name] for name in ("since", "until", "sleeve") if of.args.get(name)}
    kinds = ["breaker"] if str(of.args.get("what")) == "breaker" else ["refused", "breaker"]
    calls = [PlannedCall("define", {"word": key}) for key in (keys or (rule[:60],))]
    calls.append(PlannedCall("journal_search", {"kinds": kinds, **({"since": "7d"} | kept)}))
    results = yield calls
    return drafted(calls, results).after(f"{rule}: {LISTS['rule_says'].get(rule, 'what it checks, and when it acted')}.")


def define(q: Question) -> Plan:
    """What a word means, or each of two; what a rule is, by the hard limits that declare it."""
    text, keys = q.slots.text, list(q.slots.keys or q.slots.common)
    above = [row["rule"] for r in q.results()[-1:] for row in r.rows()[:1] if "rule" in row and says("page_plans.behind", text)]
    if not keys and (limits := limits_meant(" ".join([*above, text]))):
        return (yield from _hard_limits(q, limits))
    first = replace(q, slots=replace(q.slots, text=text.partition(", i ")[0]))  # `..., i see it in the report`
    keys = keys or [word for word, form in LISTS["terms"].items() if re.search(form, text)]
    said = re.split(r"\b(?:vs|versus|and|or|between)\b|,", free_words(first) or "")
    pair = re.search(rf"\bbetween {_TERM} and {_TERM}[?. ]*$", text)
    words = keys or list(pair.groups() if pair else ()) or [re.sub(r"\b\d\S*", "", part).strip() for part in said]
    words = [shorter for word in words if (shorter := PATTERNS["page_plans.filler"].sub("", word).strip())]
    if not words:
        return asks_back(ask_for(q, "word"))
    words = [own for word in words for own in _glossary_words(word)][:3]
    calls = [PlannedCall("define", {"word": word}) for word in words]
    results = yield calls
    if all(r.status == "no_data" for r in results) and any(" " in word for word in words):  # no word that somebody asked for
        return asks_back(NOT_A_WORD)
    rows = [row for of in results for row in of.rows() if row.get("bounds")] if says("choose.bounds", text) else []
    if rows:  # `the smallest that I may set`
        each = dict.fromkeys(f"{row['bounds']} ({row['of']})" for row in rows)
        return drafted(calls, results).after(f"Allowed: {'; '.join(each)}.")
    named = " ".join(words) if says("page_plans.ours", text) and "trips" in q.tools else ""
    if named and re.search("|".join(LISTS["trip_figures"]), named):  # `and what is ours`
        (own,) = yield [call := PlannedCall("trips", {})]
        return drafted([*calls, call], [*results, own]).after(figures_of_trips(own, named))
    set_to = [(key, v, p) for key, v in q.slots.common.items() if isinstance(v, int | float) and (p := q.words.params.get(key))]
    fits = [(key, v, p.low <= v <= p.high) for key, v, p in set_to if p.low is not None and p.high is not None]
    may = [f"{'Yes' if fit else 'No'}, {v:g} is {'within' if fit else 'outside'} the bounds of {key}." for key, v, fit in fits]
    return drafted(calls, results).after(" ".join(may))


def _hard_limits(q: Question, limits: Sequence[str]) -> Plan:
    """The hard limits of a rule, with what a breach does; of one that is to be changed, who does."""
    calls = [PlannedCall("define", {"word": key}) for key in limits[:3]]
    results = yield calls
    values = [next((row["default"].split()[0].removesuffix(".0") for row in of.rows() if "default" in row), "") for of in results]
    acts = says("page_plans.acts", q.slots.text) and re.match(_REFUSES, limits[0])
    streak = SAY["streak_acts"].format(*values) if limits[0] == "streak_max" and all(values[:2]) else ""
    changes = ways()["limits"].text if says("page_plans.changes", q.slots.text) else ""
    return drafted(calls, results).after(" ".join(filter(None, (SAY["limit_acts"] if acts else "", streak, changes))))


_REFUSES = r"gross|instrument|family|correlated|leverage|positions|risk_frac"  # of other limits a breach halts or pauses
_TERM = r"(?:an? |the )?([\w-]+(?: [\w-]+)?)"
NOT_A_WORD = "I did not understand this, and found nothing. If a word is to be explained, ask `what does drawdown mean`."


def _glossary_words(word: str) -> list[str]:
    """The word; the one of the glossary that begins or ends with it (`deflated` is `deflated sharpe`); or those of a phrase."""
    near = [own for own in glossary() if own.startswith(f"{word} ") or own.endswith(f" {word}")]
    parts = word.split()
    held = (
        [own for own in glossary() if " " in own.strip() and re.search(rf"\b{re.escape(own)}s?\b", word)]
        if len(parts) > 2
        else []
    )
    if held := [own for own in held if not any(own != more and own in more for more in held)]:  # `profit factor hit rate`
        return sorted(held, key=word.find)
    if word in glossary() or not (len(near) == 1 or len(parts) > 1):
        return [word]
    stems = {stem(own): own for own in reversed(glossary()) if " " not in own}
    own = [stems[stem(part)] for part in parts if stem(part) in stems]  # `sleeve`, of what else was said beside it
    return near if len(near) == 1 else list(dict.fromkeys(own))[:2] or [word]


def runbook(q: Question) -> Plan:
    """The desk's own page for what is wrong."""
    about = next((i for i in q.slots.ids if i.startswith("al-") or re.fullmatch(r"[dp]-\d+", i)), None) or free_words(q)
    named = next((page for page, form in LISTS["runbooks"].items() if re.search(form, q.slots.text)), None)
    about = about if about is None or re.fullmatch(r"(?:al|d|p)-\d+", about) else named or about
    of_alert = about and {*about.split()} <= {"open", "alert", "alerts", "alarm", "page", "current"}
    bare = not about and not re.search(r"\b(?:runbooks|all|which|list)\b", q.slots.text) and q.last("alerts")
    if of_alert or bare or (not about and says("page_plans.about_it", q.slots.text) and q.last("alerts", "health")):
        (found,) = yield [PlannedCall("alerts", {"state": "open"})]  # asked anew: what was listed may be over, or more have come
        about = next(iter(found.ids("al-")), None)
        if about is None:
            lists = "`show the runbooks` lists what to do for each kind of trouble."
            return PlannedAnswer(f"{result_text(found)}\n\n{lists}", read_as="what to do about the open alerts")
    call = PlannedCall("runbook", {"about": about} if about else {})
    (found,) = yield [call]
    if found.status != "no_data" or not about:
        return drafted([call], [found])
    (every,) = yield [call := PlannedCall("runbook", {})]  # by its words none is found: all, with when each is for
    return drafted([call], [every]).after(SAY["no_runbook"])


def steps(q: Question) -> Plan:
    """The steps of a runbook with their checks, or where people are in one: nothing is begun from a chat."""
    page = says("page_plans.of_page", q.slots.text)
    about = next((i for i in q.slots.ids if re.fullmatch(r"(?:al-|cl-|w)\d+", i)), page[1] if page else "")
    return (yield from made([PlannedCall(q.chosen.tool.name, {"about": about[:200]} if about else {})]))


def memory(q: Question) -> Plan:
    """What the desk remembers; quoted, as background."""
    text = PATTERNS["page_plans.and_deletes"].sub("", q.slots.text)
    deletes = SAY["no_deletion"] if text != q.slots.text else ""
    topic = next((t for t in ("handoff", "desk", "developer", "operator", "advisor") if re.search(rf"\b{t}\b", text)), None)
    about = re.search(r"\b(?:about|on|of|for)\s+(.*?)[?.! ]*$", text)
    names = " ".join(dict.fromkeys([about[1] if about else "", *q.slots.symbols, *q.slots.strategies])).strip()
    names = names or ("" if topic or not words_left(q.slots) else free_words(q) or "")
    names = " ".join(word for word in names.split() if not PATTERNS["page_plans.all_of_it"].fullmatch(word))
    args = {"topic": topic} if topic and not about else {"query": render.one_line(names, 120)} if names else {}
    call = PlannedCall("memory", args)
    (found,) = yield [call]
    inbox = [f"{row['page']} ({row.get('age', '')})" for row in found.rows() if row.get("page", "").startswith("inbox/")]
    lists = not args and says("page_plans.notes", text)
    none = f"Notes in the inbox: {len(inbox) or 'none'}{': ' if inbox else ''}{', '.join(inbox[:10])}. No other note is kept."
    return drafted([call], [found]).after(f"{deletes} {none if lists else ''}".strip())


def note(q: Question) -> Plan:
    """A note into the inbox; with the ids that show it, where the tool asks for some."""
    ids = list(q.slots.ids) + [q.handles.get(h, h) for h in q.slots.handles]
    if not ids and (last := q.last("backtest", "compare", "run", "journal_search", "explain_event")) is not None:
        ids = list(last.evidence[:3])
    if not ids and q.chosen.tool.args.model_fields["evidence"].is_required():
        return asks_back("Which run, event or proposal shows it? Name its id, for example `note that d-12 was an outage`.")
    text = PATTERNS["plans.noted"].sub("", q.raw)
    if len(text.split()) < 2:
        return asks_back("What should be noted? Write it after `note that`.")
    args = {"topic": q.slots.symbol or q.slots.strategy or "desk", "text": render.one_line(text, 1000)}
    return (yield from made([PlannedCall("note", args | ({"evidence": ids[:10]} if ids else {}))]))


_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?(?:%|percent|pct|per ?cent)")


def _moves(q: Question, text: str, share: float) -> Plan:
    """A watch of a price by a share of its last close."""
    symbol = q.slots.symbol
    below, above = says("page_plans.below", text), says("page_plans.above", text)
    if symbol is None or says("page_plans.within", text):
        return asks_back(SAY["no_percent_watch"])
    if bool(below) == bool(above):
        return asks_back(
            f"Up or down by {share:.10g} of its last close? Say which, such as `if {symbol} drops {share * 100:.10g} %`."
        )
    args = {
        "metric": "price",
        "subject": symbol,
        "beyond": "below" if below else "above",
        "move_frac": -share if below else share,
    }
    return (yield from made([PlannedCall("propose_watch", args)]))


def watch(q: Question) -> Plan:
    """A watch asked for in words, `tell me when btc falls below 80000`; asked back for what they leave open."""
    own = tidy(q.raw, q.words, vocabulary())
    anew = bool(_SHARE.search(own) or numbers_in(own)) and says("slots.turned", own) is not None
    text = own if anew else q.slots.text  # a level and its direction beside those of the watch before
    numbers = numbers_in(text)
    if re.search(r"\bdraw-?down\b", text):
        return asks_back(SAY["no_drawdown_watch"])
    said = _SHARE.search(text)
    if not numbers and (said or q.slots.percent):
        return (yield from _moves(q, text, float(said[1]) / 100 if said else abs(q.slots.percent or 0)))
    if len(numbers) != 1:
        return asks_back("At which level? Name one number, such as `tell me when BTC falls below 80000`.")
    sleeve, level = q.sleeve(), numbers[0]
    learned, side = q.slots.closed.get("metric"), q.slots.closed.get("beyond")
    metric, subject = "day_pnl", "desk"
    if anew and text != q.slots.text and says("page_plans.money", text):
        subject = sleeve.name if sleeve and sleeve.name in text else "desk"
    elif anew and text != q.slots.text and q.slots.symbol and not (sleeve and sleeve.name in text):
        metric, subject = "price", q.slots.symbol  # `and btc below 84k`, after a P&L
    elif learned == "day_pnl" or (learned == "price" and q.slots.symbol):
        metric, subject = learned, str(q.slots.symbol if learned == "price" else sleeve.name if sleeve else "desk")
    elif "equity" in text:
        metric, subject = "equity", sleeve.name if sleeve and not q.slots.symbols else "desk"
    elif says("page_plans.money", text):
        metric, subject = "day_pnl", sleeve.name if sleeve else "desk"
    elif re.search(r"\b(?:we|us|desk|account|balance)\b", text) and level >= 1000:  # `tell me if we go under 29k`
        metric, subject = "equity", "desk"
    elif q.slots.symbol:  # `one more, eth under 2400`
        metric, subject = "price", q.slots.symbol
    else:
        return asks_back(
            "A watch on what? Name a symbol (`BTC below 80000`), or a P&L (`if the desk loses more than 300 today`)."
        )
    below: object = says("page_plans.below", text)
    above: object = says("page_plans.above", text)
    if side and bool(below) == bool(above):  # learned: a word of the sentence is surer
        below, above = side == "below", side == "above"
    if metric == "day_pnl" and (
        says("page_plans.loss", text) or (below and re.search(r"\b(?:minus|worse|bleed\w*|red)\b", text))
    ):
        level, below, above = -abs(level), True, None
    if bool(below) == bool(above) and not (below and re.search(r"\b(?:below|under)\b", text)):
        return asks_back(f"Above or below {level:,.10g}? Say which, such as `below {level:,.10g}`.")
    args = {"metric": metric, "subject": subject, "beyond": "below" if below else "above", "level": level}
    return (yield from made([PlannedCall("propose_watch", args)]))
