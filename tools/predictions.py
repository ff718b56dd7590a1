"""At how many closes stored models said nothing to the sleeves that read them, and why (predictions, READ)."""

from collections import Counter

from pydantic import Field

from engine.clock import utc
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN, window, window_text


class PredictionsArgs(Args):
    """`sleeve`: one; null: every sleeve that reads a model. A window of desk time; null: the last 24 hours."""

    sleeve: str | None = Field(None, max_length=60)
    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)


@tool(
    "predictions",
    Effect.READ,
    asked_as(
        "",
        "why are predictions null?; does the model of btc-vol say anything?; are predictions missing?; how many closes had no "
        "prediction?",
    ),
)
def predictions(ctx: ToolContext, args: PredictionsArgs) -> ToolResult:
    """At how many closes each model that a sleeve reads had no value, with the reason, from the journal's bars."""
    from engine.control.config import active
    from engine.strategies.stored_models import pins_of
    from engine.watch.window import between, journal_of, mark_at

    desk = active(ctx.engine, ctx.home).config
    sleeves = [desk.sleeve(args.sleeve)] if args.sleeve else list(desk.sleeves)  # BadInput with the list of names
    reads = {s.name: pins_of(s.models or "") for s in sleeves if s.models}
    if not reads:
        who = clean(args.sleeve, 60) if args.sleeve else "no sleeve of this desk"
        return no_data(f"{who} reads {'no' if args.sleeve else 'a'} stored model: there are no predictions to be missing")
    mark = mark_at(journal_of(ctx.home))
    if mark is None or ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    low, high = window(args.since or "24h", args.until, ctx.desk_ms, "")
    closes = Counter[str]()
    reasons = dict[tuple[str, str], Counter[str]]()
    now = dict[tuple[str, str], bool]()
    for bar in between(journal_of(ctx.home), low, high, {"bar"}):
        for name in reads.keys() & bar.body.get("signals", {}).keys():
            closes[name] += 1
            missing = bar.body.get("nulls", {}).get(name, {})
            for model in reads[name]:
                found = [str(why) for label, why in missing.items() if f"({model}@" in label]
                now[name, model] = bool(found)
                if found:
                    reasons.setdefault((name, model), Counter())[found[0]] += 1
    if not closes:
        return no_data(f"no bar was processed between {utc(low)} and {utc(high)}")
    facts, rows, texts = list[Fact](), list[tuple[Value, ...]](), list[str]()
    evidence, span = Evidence("event", mark.id), window_text(low, min(high, ctx.desk_ms))
    for name, model in ((name, model) for name, pins in reads.items() if closes[name] for model in pins):
        why = reasons.get((name, model), Counter())
        label = f"{model}@{reads[name][model]}"
        handle = ctx.handle("n", f"{name} {label} {low} {high}")
        values: dict[str, tuple[Value, str]] = {"closes": (closes[name], "count"), "null": (why.total(), "count")}
        facts += make_facts(handle, f"predictions of {label} for {name}", evidence, values, span)
        state = "no value" if now[name, model] else "a value"
        reason = "; ".join(clean(text, 160) for text, _ in why.most_common(3)) or "-"
        rows.append((name, label, state, f"{{{handle}.null}}", f"{{{handle}.closes}}", reason))
        because = f" ({reason})" if why else ""
        texts.append(f"{name}: {label} has {state} at its last close; null at {{{handle}.null}} of {{{handle}.closes}}{because}")
    text = f"From {utc(low)} to {utc(min(high, ctx.desk_ms))} of desk time. {'. '.join(texts)}."
    text += " A close without a value gives no entry; open positions keep their stops." if reasons else ""
    table = Table(("sleeve", "model", "last close", "null", "of closes", "why"), tuple(rows))
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"sleeves": list(reads)})
