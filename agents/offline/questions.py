"""What only asks, and what asks for a proposal: which question files nothing, and which of a list it means.

Called by offline/model.py before a plan that would end in a proposal, and by offline/developer.py for the place in a list.
"""

import re

from agents.offline.steps import Plan, Question, answer, asks_back, changes_text

PLACES = {"first": 0, "former": 0, "second": 1, "third": 2, "latter": -1, "last": -1}
QUESTION = re.compile(
    r"^(?:and |so |ok |but )*(?:which|what|who|why|how|when|where|is|are|was|were|does|did|should|shall|has|have|am)\b"
)
VERB = re.compile(
    r"\b(?:propos\w+|submit|suggest|recommend|adopt|switch|apply|use|file|go (?:ahead )?with|roll (?:it )?out|make|send|turn|put|"
    r"approv\w+)\b"
)


def asks_for_proposal(q: Question) -> bool:
    """Whether the question asks for a proposal by a verb; one that only asks which, what or whether files nothing."""
    return VERB.search(q.slots.text) is not None and QUESTION.match(q.slots.text) is None


def place_in(q: Question) -> int | None:
    """The place in a list that the question names, counted from 0, the last one -1; None when it names none."""
    return next(
        (
            n
            for word, n in PLACES.items()
            if re.search(rf"\b{word}\b(?! (?:comparison|run|backtest|time|week|month|year))", q.slots.text)
        ),
        None,
    )


def which_did_best(q: Question) -> Plan:
    """A question about the last comparison that asks for no proposal: what came out ahead, and nothing is filed."""
    yield from ()
    last = q.last("compare")
    if last is None:
        return asks_back(
            "which one is better", "This thread has no comparison yet: `compare a 2 ATR with a 3 ATR stop` makes one."
        )
    row = last.data["rows"][last.data.get("best", 0)]
    if not row["changes"]:
        found = "No variant came out ahead of the live configuration."
    else:
        name, verdict = changes_text({c["key"]: c["value"] for c in row["changes"]}), row.get("verdict") or "cannot be told apart"
        told = "it is better than the live configuration" if verdict == "better" else f"the two are {verdict}"
        told = "it cannot be told apart from the live configuration" if verdict == "cannot be told apart" else told
        found = f"{name} has the highest mean daily return of those compared; {told}."
        found += f" Mind that {row['caveat']}." if row.get("caveat") else ""
    return answer("which of the compared did best", found, "Nothing was proposed. `propose the better one` does that.")


def only_asked(q: Question) -> Plan:
    """A question about a change, where no verb asks for one: nothing is filed."""
    yield from ()
    sleeve, changes = q.sleeve(), changes_text(q.slots.common)
    how = f"`propose {changes} for {sleeve.name}`" if sleeve and changes else "`propose stop_atr=3 for btc-trend`"
    return answer("a question about a change", f"Nothing was proposed, because that reads as a question. To ask for it: {how}.")
