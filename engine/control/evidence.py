"""What a proposal's evidence, worst case and direction say in words: one sentence each, the same on every card.

Called by app.views.proposal_card and by the proposal tools. Turns the JSON of a proposal's row into text; computes nothing anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.amounts import signed_text
from engine.control.direction import STOPS, finite_number

REWARD_MIN = 1.5  # DEFINITIONS D13: less is a warning, not a refusal
FIGURES = ("difference_frac", "low_frac", "high_frac", "level", "days")


def comparison_text(e: Mapping[str, Any]) -> str:
    """A comparison in words: its interval and the days it is over, or why there is none."""
    numbers = [x for name in FIGURES if isinstance(x := e.get(name), int | float)]
    if len(numbers) < len(FIGURES):
        return str(e.get("text") or "")
    mean, low, high, level, days = numbers
    bps = "{} bps ({} to {})".format(*(signed_text(x * 1e4) for x in (mean, low, high)))
    over = f"{level * 100:g} % interval over the {days:,} whole days that both traded"
    return f"changed minus base, mean daily return: {bps}, {over}" + (f"; {e['caveat']}" if e.get("caveat") else "")


def verdict_words(direction: str, exposure: Mapping[str, Any]) -> str:
    """The direction as a card's first word. MIXED: parts of the change lower risk and parts raise it, or a closer stop, which
    loses less a unit and holds more of them; both are treated as loosening, as is UNKNOWN."""
    keys = exposure.get("keys") or {}
    doubtful = [key.rpartition(".")[2] for key, label in keys.items() if label == "unknown"]
    both = direction in ("loosens", "unknown") and "tightens" in keys.values()
    closer = direction == "unknown" and bool(doubtful) and set(doubtful) <= set(STOPS)
    if both or closer:
        return "MIXED, treated as loosening"
    return direction.upper() + (", treated as loosening" if direction == "unknown" else "")


def equal_worst_case(direction: str, exposure: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> str:
    """Why a change counts as loosening though its worst case is equal before and after; empty for any other."""
    pairs = list((exposure.get("sleeves") or {"": exposure}).values())
    equal = all(pair.get("before") and pair.get("before") == pair.get("after") for pair in pairs)
    if direction not in ("loosens", "unknown") or not equal:
        return ""
    keys = exposure.get("keys") or {}
    reasons = [text for c in changes if (text := _reason(c, str(keys.get(c["key"]))))]
    because = " and ".join(reasons) or "code cannot rule out that it raises risk"
    return (
        "equal before and after: its three figures are bounded by the caps on risk, notional and leverage, which this change "
        f"leaves alone. It still counts as loosening because {because}"
    )


def _reason(change: Mapping[str, Any], label: str) -> str:
    """Why one key counts as loosening; empty when it does not."""
    key, old, new = change["key"], change.get("old"), change.get("value")
    step = f"{_short(old)} -> {_short(new)}"
    if label == "loosens":
        more = isinstance(old, int | float) and isinstance(new, int | float) and new > old
        return f"a {'higher' if more else 'lower'} {key} ({step}) is declared to raise risk, below those caps too"
    if label == "unknown" and str(key).rpartition(".")[2] in STOPS:
        return f"a closer {key} ({step}) holds a larger position for the same risk"
    return f"code cannot tell how {key} ({step}) moves risk" if label == "unknown" else ""


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def reward_text(params: Mapping[str, Any]) -> str:
    """A target that is near against its stop; "" when it is far enough, or when how near it is depends on the price and its ATR.

    Distances add up (`*_atr` in ATRs, `*_frac` of the price): both parts too near is too near at every price.
    """
    keys = ("target_atr", "target_frac", "stop_atr", "stop_frac")
    target_atr, target_frac, stop_atr, stop_frac = (finite_number(params.get(key)) or 0.0 for key in keys)
    near = target_atr <= REWARD_MIN * stop_atr and target_frac <= REWARD_MIN * stop_frac
    if (
        not near
        or not (target_atr or target_frac)
        or (target_atr, target_frac) == (REWARD_MIN * stop_atr, REWARD_MIN * stop_frac)
    ):
        return ""
    one_unit = not (stop_atr or target_atr) or not (stop_frac or target_frac)
    ratio = f"{(target_atr + target_frac) / (stop_atr + stop_frac):.2f}" if one_unit else f"below {REWARD_MIN}"
    target, stop = _distance(target_atr, target_frac), _distance(stop_atr, stop_frac)
    return f"reward to risk is {ratio}: the target is {target} away, the stop {stop}"


def _distance(atrs: float, frac: float) -> str:
    parts = ((atrs, f"{atrs:g} ATR"), (frac, f"{frac * 100:g} % of the price"))
    return " and ".join(text for value, text in parts if value)
