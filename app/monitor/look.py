"""The monitor: when something changed, the operator role with a real model reads the desk and writes one short note.

Started by app.processes.scheduler as a process of its own, and by `nightdesk monitor --now`; killed or slow, alerts go on. It has
the READ tools alone, a budget of its own, and the grounding of every answer: a sentence that it struck or could not check is not
sent. Without a model, where it fails, or where nothing changed, nothing is sent and the reason is kept.
"""

import re
from typing import Any

from agents.turns import ask
from app.home.home import Home, open_home
from app.monitor.changes import changes_between, seen_now
from app.notify import ways
from app.notify.deliveries import now_ms, owe
from app.notify.monitor_notes import SUBJECT, keep_monitor, read_monitor
from app.people.rota import rota_of
from app.wiring import Wiring
from engine.clock import utc
from engine.errors import BadInput, DeskError
from engine.watch.rota import due_of
from tools.common.contract import Effect, ToolContext

PERSON = "monitor"  # whose day its tokens count in
NOTE_MAX = 700  # characters
SENTENCE = re.compile(r"(?<=[.!?])\s+")
UNPROVEN = ("~~", "\u27e6", "\u27e7")  # of struck and unchecked words in an answer
LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")  # a reference as an answer has it: its value stays
STAMP = re.compile(r"\*[^*]*\*")  # the line that code puts under an answer
NOTHING = re.compile(r"\W*nothing\W*", re.IGNORECASE)
QUESTION = (
    "You are the monitor of the night. Since {since} (wall time) this changed: {changes}. Read the desk by tools, then write "
    "for the people on call at most three short sentences: what changed, since when, and what you would look at next. Numbers "
    "only as references. If none of it matters to anyone, answer NOTHING."
)


class MonitorWiring(Wiring):
    """Turns of the monitor: it reads, and nothing else, within its own day's tokens."""

    def __init__(self, home: Home) -> None:
        super().__init__(home, PERSON, PERSON)
        most = home.desk.monitor.tokens_day
        day = self.limits
        self.limits = day._replace(person_tokens=min(day.person_tokens, most), turn_tokens=min(day.turn_tokens, most))

    def context(self, **of_the_turn: Any) -> ToolContext:
        """The same with READ alone."""
        return super().context(effects=(Effect.READ,), **of_the_turn)


def look(home: Home, runtime: MonitorWiring, at_ms: int) -> str:
    """One look; why it sent nothing, or an empty text. `at_ms`: wall time. Raises DeskError, OSError."""
    before, now = read_monitor(home.path), seen_now(home, at_ms)
    found = changes_between(before.get("seen") or {}, now)
    note, seen = None, now
    if not found:
        why = "nothing changed"
    elif runtime.model.offline:
        why, seen = "no model is configured", dict(before.get("seen") or {})
    else:
        since = utc(int(before["wall_ms"])) if "wall_ms" in before else "the desk began to be watched"
        note, why = _note(runtime, QUESTION.format(since=since, changes="; ".join(found)), at_ms)
        if note is not None:
            note |= {"changes": found}
        elif why.startswith("the model"):
            seen = dict(before.get("seen") or {})  # it is asked again about the same
    keep_monitor(home.path, seen, at_ms, why, note)
    if note is not None:
        _send(home, str(note["turn"]), at_ms)
    return why


def _note(runtime: MonitorWiring, question: str, at_ms: int) -> tuple[dict[str, Any] | None, str]:
    """(the note, or None; why there is none)."""
    answer: dict[str, Any] = {}
    failed = ""
    for event in ask(runtime, "operator", question, PERSON, "new"):
        if event["kind"] == "notice" and event.get("fallback"):
            failed = str(event.get("text") or "the model did not answer")
        if event["kind"] == "answer":
            answer = event
    if failed or not answer:
        return None, f"the model gave no note: {failed}"
    if NOTHING.fullmatch(" ".join(own_lines(str(answer["answer_md"])))):
        return None, "it found nothing worth a note"
    text = proven(str(answer["answer_md"]))
    if not text:
        return None, "no sentence of it could be proven"
    used = answer["usage"]
    tokens = int(used.get("input_tokens") or 0) + int(used.get("output_tokens") or 0)
    left_out = len(answer["struck"]) + len(answer["unchecked"])
    fields = {"turn": answer["turn"], "at_ms": at_ms, "text": text, "model": answer["model"]["name"]}
    return {**fields, "left_out": left_out, "tokens": tokens, "state": answer["state_line"]}, ""


def own_lines(text: str) -> list[str]:
    """The model's own lines of an answer: without the stamp and the remarks that code put around them."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not STAMP.fullmatch(line) and not line.startswith("**")]


def proven(text: str) -> str:
    """Whole sentences of an answer that grounding let through, up to NOTE_MAX characters."""
    kept = ""
    for line in own_lines(LINK.sub(r"\1", text)):
        for sentence in SENTENCE.split(line):
            if sentence and not any(mark in sentence for mark in UNPROVEN) and len(kept) + len(sentence) < NOTE_MAX:
                kept += f" {sentence}"
    return kept.strip()


def _send(home: Home, turn: str, at_ms: int) -> None:
    """Queue the note for the ways that desk.toml wants it on; the supervisor brings it. It waits for quiet hours."""
    named = ways.names_of(home.desk)
    try:
        rota = rota_of(home.path)
    except BadInput:
        rota = []
    for way in home.desk.monitor.to:
        if way in named:
            owe(home, f"{SUBJECT}{turn}", "note", [way], at_ms, due_of(rota, way, at_ms))


def run_once(home: Home) -> str:
    """One look at the time of the machine; why it sent nothing. A fault of the desk is a reason, too."""
    runtime = MonitorWiring(home)
    try:
        return look(home, runtime, now_ms())
    except DeskError as error:
        return f"it could not look: {error}"
    finally:
        runtime.close()


if __name__ == "__main__":
    run_once(open_home())
