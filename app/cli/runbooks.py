"""`nightdesk runbooks list | show | begin | next | done | refuse | end`: a runbook, worked through step by step.

Called by app/cli/main.py. A step is decided by a named person, in its turn; one whose check says no cannot be marked done. Works
with every model down.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.clock import utc

JSON = typer.Option(False, "--json", help="one JSON object on stdout")
AS = typer.Option("", "--as", metavar="NAME", help="who you are (default: your OS account's name)")
OF = typer.Option("", "--of", metavar="ID", help="which checklist, cl-2 (default: the one that is open)")
STEP = typer.Argument(..., metavar="STEP", help="its number, as `runbooks next` shows it", min=1, max=99)
SIGNS = {"done": "done", "refused": "REFUSED", "cannot say": "?", "open": ""}


def register(app: typer.Typer) -> None:
    """Add `runbooks`."""
    group = typer.Typer(no_args_is_help=True, help="Runbooks, worked through step by step: each step a check with evidence.")
    group.command("list")(list_runbooks)
    group.command("show")(show)
    group.command("begin")(begin)
    group.command("next")(next_step)
    group.command("done")(done)
    group.command("refuse")(refuse)
    group.command("end")(end)
    app.add_typer(group, name="runbooks")


def list_runbooks(ended: bool = typer.Option(False, "--all", help="also checklists that are over"), as_json: bool = JSON) -> None:
    """List the runbooks, and the checklists that are open."""
    from app.home.home import existing_home
    from app.views.checklists import checklist_list, runbook_list
    from tools.shipped import RUNBOOK_PAGES

    home = existing_home()
    items = checklist_list(home.path, home.engine, now_ms(), ended=ended)
    books = runbook_list(home.path, RUNBOOK_PAGES)
    out.emit({"runbooks": books, "items": items}, as_json=as_json, text=lambda: _list_text(books, items))


def show(
    name: str = typer.Argument(..., metavar="NAME", help="a runbook (worker-down), or a checklist (cl-2)"), as_json: bool = JSON
) -> None:
    """Show a runbook's steps with their checks, or a checklist with what became of each step."""
    from app.home.home import existing_home
    from app.views.checklists import shown_checklist, steps_shown
    from engine.control.checklists import chosen
    from engine.watch.runbooks import steps_with_lessons, titles_in
    from tools.shipped import RUNBOOK_PAGES

    home = existing_home()
    if name.strip().lower().removeprefix("cl-").isdigit():
        found = shown_checklist(home.path, home.engine, now_ms(), chosen(home.path, name))
        out.emit(found, as_json=as_json, text=lambda: checklist_text(found))
        return
    steps = steps_shown(steps_with_lessons(RUNBOOK_PAGES, home.path, name))
    page = {"runbook": name, "title": titles_in(RUNBOOK_PAGES)[name], "steps": steps}
    out.emit(page, as_json=as_json, text=lambda: _page_text(page))


def begin(
    name: str = typer.Argument("", metavar="[NAME]", help="the runbook (default: that of the alert)"),
    about: str = typer.Option("", "--about", metavar="ID", help="an alert (al-3), an incident (w1), a sleeve or an account"),
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Begin a runbook: its steps are decided one after the other, by anyone whose role covers it."""
    from app.people import checklists

    home, actor = _person(as_name)
    _emit(home, checklists.begin(home, name, about, actor, now_ms()), as_json=as_json)


def next_step(of: str = OF, as_name: str = AS, as_json: bool = JSON) -> None:
    """Show the next step and what its checks read now; that you have looked is written down."""
    from app.people import checklists

    home, actor = _person(as_name)
    one, readings = checklists.look(home, of, actor, now_ms())
    _emit(home, one, readings or None, as_json=as_json)


def done(
    step: int = STEP,
    evidence: str = typer.Option("", "--evidence", help="what you saw; events by their id (d-12). Needed where no check decides"),
    of: str = OF,
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Mark the step done. Refused while a check of it says no or cannot say."""
    from app.people import checklists

    home, actor = _person(as_name)
    _emit(home, checklists.done(home, of, step, evidence, actor, now_ms()), as_json=as_json)


def refuse(
    step: int = STEP,
    reason: str = typer.Option(..., "--reason", help="why it is not done, or does not apply"),
    of: str = OF,
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Refuse the step, with why: it was not done."""
    from app.people import checklists

    home, actor = _person(as_name)
    _emit(home, checklists.refuse(home, of, step, reason, actor, now_ms()), as_json=as_json)


def end(
    reason: str = typer.Option(..., "--reason", help="why, before its last step"),
    of: str = OF,
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """End a checklist before its last step was decided."""
    from app.people import checklists

    home, actor = _person(as_name)
    _emit(home, checklists.end(home, of, reason, actor, now_ms()), as_json=as_json)


def _person(as_name: str) -> tuple[Any, Any]:
    """The home, and who acts."""
    from app.home.home import existing_home
    from app.people.identity import identify, os_user

    home = existing_home()
    return home, identify(home.path, as_name or os_user(), "cli")


def _emit(home: Any, one: Any, readings: Any = None, *, as_json: bool) -> None:
    from app.views.checklists import shown_checklist

    found = shown_checklist(home.path, home.engine, now_ms(), one, readings)
    out.emit(found, as_json=as_json, text=lambda: next_text(found))


def now_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


# ---- text -------------------------------------------------------------------------------------------------------------------


def _list_text(books: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]) -> str:
    lines = [head_text(item) for item in items] or ["No checklist is open. To begin one: nightdesk runbooks begin NAME --as NAME"]
    return "\n".join([*lines, "", *map(_book_text, books)])


def _book_text(book: Mapping[str, Any]) -> str:
    """A runbook: how many steps, how many a check decides, lessons of this desk."""
    lessons = f", {book['lessons']} of this desk's incidents" if book["lessons"] else ""
    return f"{book['name']:<22}{book['steps']} steps, {book['checked']} by a check{lessons}  {book['title']}"


def head_text(found: Mapping[str, Any]) -> str:
    """A checklist as one line: where it is."""
    about = f" about {shown(found['about'])}" if found["about"] else ""
    at = f"step {found['current']} of {len(found['steps'])}" if found["current"] else found["state"].upper()
    why = f" by {_name(found['ended_by'])}: {shown(found['ended_why'])}" if found["ended_by"] else ""
    return f"{found['id']:<6}{found['runbook']}{about}: {at}{why}; begun {utc(found['begun_ms'])} by {_name(found['by'])}"


def next_text(found: Mapping[str, Any]) -> str:
    """Where a checklist is, its current step with what the checks read, and what to type."""
    step = next((one for one in found["steps"] if one["number"] == found["current"]), None)
    if step is None:
        return head_text(found)
    lines = [head_text(found), _step_text(step)]
    if all(one["says"] == "yes" for one in step["readings"]):
        evidence = "" if step["checks"] else ' --evidence "what you saw"'
        lines.append(f"Done: nightdesk runbooks done {step['number']} --of {found['id']}{evidence} --as NAME")
    lines.append(f'Not done: nightdesk runbooks refuse {step["number"]} --of {found["id"]} --reason "why" --as NAME')
    return "\n".join(lines)


def checklist_text(found: Mapping[str, Any]) -> str:
    """A checklist with every step."""
    return "\n".join([head_text(found), shown(found["title"]), *map(_step_text, found["steps"])])


def _step_text(step: Mapping[str, Any]) -> str:
    """A step, what became of it, and what was read."""
    origin = f" ({shown(step['origin'])})" if step["origin"] else ""
    lines = [f"{step['number']:>3}. {SIGNS[step['state']]}{' ' if SIGNS[step['state']] else ''}{shown(step['text'])}{origin}"]
    if step["by"]:
        words = f": {shown(step['words'])}" if step["words"] else ""
        lines.append(f"     by {_name(step['by'])} at {utc(step['t_ms'])}, {step['event']}{words}")
    for one in step["readings"]:
        lines.append(f"     {one['check']}: {one['says'].upper()}, {shown(one['text'])}")
    return "\n".join(lines)


def _page_text(page: Mapping[str, Any]) -> str:
    lines = [f"{page['runbook']}: {shown(page['title'])}"]
    for step in page["steps"]:
        origin = f" ({shown(step['origin'])})" if step["origin"] else ""
        lines.append(f"{step['number']:>3}. {shown(step['text'])}{origin}")
        lines += [f"     check {name}: {about}" for name, about in step["checks"].items()] or ["     a person looks"]
    return "\n".join([*lines, f"Begin it: nightdesk runbooks begin {page['runbook']} --as NAME"])


def _name(by: Mapping[str, Any] | None) -> str:
    return shown((by or {}).get("name") or "unknown")
