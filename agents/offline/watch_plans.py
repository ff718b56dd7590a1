"""A watch asked for in words: metric, subject, side and level read from one sentence. Called by plans.py.

`tell me when btc falls below 80000` is a price, `alert me if the desk loses more than 300 today` the P&L of the day, below -300.
"""

import re

from agents.offline.calls import made
from agents.offline.read_back import PlannedCall
from agents.offline.steps import Plan, Question, asks_back

_NUMBER = re.compile(r"(?<![\w.-])[$\u20ac]?(-?\d[\d,_]*(?:\.\d+)?) ?(k|m)?\b(?! ?(?:%|hours?|h|days?|d|minutes?|bars?|m\b))")
_MONEY = re.compile(r"\b(?:pnl|p&l|p/l|profits?|loss(?:es)?|loses?|lost|losing|makes?|made|gains?|down|earns?)\b")
_BELOW = re.compile(
    r"\b(?:below|under|beneath|falls?|drops?|dips?|less than|lower|down|dumps?|crash\w*|loses?|losing|loss|lost)\b"
)
_ABOVE = re.compile(
    r"\b(?:above|over|exceeds?|rises?|more than|higher|up|breaks?|reach\w*|pumps?|makes?|made|gains?|earns?|profits?)\b"
)
_LOSS = re.compile(r"\b(?:loses?|losing|loss(?:es)?|lost|down|drawdown)\b")
_SCALE = {"k": 1e3, "m": 1e6}


def watch(q: Question) -> Plan:
    """Ask for a watch, or for what the sentence leaves open."""
    text = q.slots.text
    numbers = [
        float(found[1].replace(",", "").replace("_", "")) * _SCALE.get(found[2] or "", 1.0) for found in _NUMBER.finditer(text)
    ]
    if len(numbers) != 1:
        return asks_back("At which level? Name one number, such as `tell me when BTC falls below 80000`.")
    sleeve, level = q.sleeve(), numbers[0]
    learned, side = q.slots.closed.get("metric"), q.slots.closed.get("beyond")
    if learned == "day_pnl" or (learned == "price" and q.slots.symbol):
        metric, subject = learned, (q.slots.symbol if learned == "price" else sleeve.name if sleeve else "desk")
    elif "equity" in text:
        metric, subject = "equity", sleeve.name if sleeve and not q.slots.symbols else "desk"
    elif q.slots.symbol and not (sleeve and (sleeve.name in text or (_MONEY.search(text) and "today" in text))):
        metric, subject = "price", q.slots.symbol
    elif _MONEY.search(text):
        metric, subject = "day_pnl", sleeve.name if sleeve else "desk"
    elif re.search(r"\b(?:we|us|desk|account|balance)\b", text) and level >= 1000:  # `tell me if we go under 29k`
        metric, subject = "equity", "desk"
    else:
        return asks_back(
            "A watch on what? Name a symbol (`BTC below 80000`), or a P&L (`if the desk loses more than 300 today`)."
        )
    below: object = side == "below" if side else _BELOW.search(text)
    above: object = side == "above" if side else _ABOVE.search(text)
    if metric == "day_pnl" and (_LOSS.search(text) or (below and re.search(r"\b(?:minus|worse|bleed\w*|red)\b", text))):
        level, below, above = -abs(level), True, None
    if bool(below) == bool(above) and not (below and re.search(r"\b(?:below|under)\b", text)):
        return asks_back(f"Above or below {level:,.10g}? Say which, such as `below {level:,.10g}`.")
    args = {"metric": metric, "subject": subject, "beyond": "below" if below else "above", "level": level}
    return (yield from made([PlannedCall("propose_watch", args)]))
