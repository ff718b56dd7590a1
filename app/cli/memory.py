"""`nightdesk memory search | show | diff | restore | promote`: what the desk remembers. Called by app/cli/main.py.

The pages are files that people edit; these commands read them, and bring an earlier version back under a person's name. What an
editor replaced is kept as a version once a search or one of these commands has seen the page (memory/index.py).
"""

import difflib
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out
from app.cli.notes import promote
from app.cli.words import shown
from engine.errors import BadInput

if TYPE_CHECKING:
    from app.home.home import Home
    from memory.shelf import Shelf

JSON = typer.Option(False, "--json", help="one JSON object on stdout")
TOPIC = typer.Argument(..., metavar="PAGE", help="a page's topic: desk, strategies/trend")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    memory = typer.Typer(no_args_is_help=True, help="The desk's memory: search, show, diff, restore, promote.")
    memory.command()(search)
    memory.command()(show)
    memory.command()(diff)
    memory.command()(restore)
    memory.command()(promote)
    app.add_typer(memory, name="memory")


def search(
    words: list[str] = typer.Argument(..., help="what to look for"),
    most: int = typer.Option(5, "--most", min=1, max=50, help="paragraphs"),
    as_json: bool = JSON,
) -> None:
    """Paragraphs that match best, each with its page, age, and who vouches for it; pages that contradict each other."""
    from app.home.home import existing_home
    from memory import recall

    home = existing_home()
    shelf = _fresh(home)
    blocks = recall.search(shelf, " ".join(words), _now(), tokens=400 * most, most=most)
    items = [{"page": b.topic, "trust": b.trust, "changed_ms": b.changed_ms, "text": b.text} for b in blocks]
    against = _contradictions(shelf, {block.topic for block in blocks})
    lines = [f"{b.label}\n  {shown(' '.join(b.text.split()))}" for b in blocks] or ["memory has nothing on this"]
    out.emit({"items": items, "contradictions": against}, as_json=as_json, text=lambda: "\n".join([*lines, *_flags(against)]))


def show(
    page: str = typer.Argument("", help="a page's topic; without one: every page with its age, versions and source"),
    version: int | None = typer.Option(None, "--version", min=1, help="an earlier version (default: as it is)"),
    as_json: bool = JSON,
) -> None:
    """Show a page, or list all of them, with what contradicts what."""
    from app.home.home import existing_home
    from memory import recall

    shelf = _fresh(existing_home())
    if not page:
        items = _listed(shelf)
        against = _contradictions(shelf)
        lines = [f"{i['page']:<40} {i['age']:<24} {i['versions']:>3} versions  {i['trust']}" for i in items]
        out.emit({"items": items, "contradictions": against}, as_json=as_json, text=lambda: "\n".join([*lines, *_flags(against)]))
        return
    text = _text(shelf, page, version)
    found = _page(shelf, page)
    against = _contradictions(shelf, {page})
    about = {
        "page": page,
        "text": text,
        "version": version,
        "versions": _numbers(shelf, page),
        "age": recall.age(_now() - found.changed_ms) if found else "not there any more",
        "contradictions": against,
    }
    out.emit(about, as_json=as_json, text=lambda: "\n".join([_printable(text.rstrip()), *_flags(against)]))


def diff(
    page: str = TOPIC,
    version: int | None = typer.Option(None, "--version", min=1, help="against this version (default: the last one)"),
    as_json: bool = JSON,
) -> None:
    """What changed in a page since an earlier version."""
    from app.home.home import existing_home

    shelf = _fresh(existing_home())
    numbers = _numbers(shelf, page)
    if not numbers:
        raise BadInput(f"no earlier version of {page} is kept", "see `nightdesk memory show`")
    old = numbers[-1] if version is None else version
    found = _page(shelf, page)
    lines = _changed(_text(shelf, page, old), found.text if found else "", f"{page}, version {old}", f"{page}, as it is")
    body = {"page": page, "version": old, "diff": "\n".join(lines)}
    out.emit(body, as_json=as_json, text=lambda: _printable("\n".join(lines)) or "they are the same")


def restore(
    page: str = TOPIC,
    version: int = typer.Argument(..., min=1, help="as `nightdesk memory show PAGE` lists it"),
    by: str = typer.Option(..., "--as", metavar="NAME", help="who you are"),
    yes: bool = typer.Option(False, "--yes", help="do not ask again"),
    as_json: bool = JSON,
) -> None:
    """Make an earlier version the page again, in your name; what it replaces becomes a version."""
    from app.home.home import existing_home
    from app.people.approvals import permit, record
    from app.people.identity import identify
    from memory.shelf import ShelfError

    home = existing_home()
    actor = identify(home.path, by, "cli")
    permit(home, actor, "note", _now())
    shelf = _fresh(home)
    text, found = _text(shelf, page, version), _page(shelf, page)
    out.say("\n".join(_changed(found.text if found else "", text, f"{page}, as it is", f"{page}, version {version}")))
    if not yes:
        typer.confirm("Restore this version?", abort=True, err=True)
    try:
        shelf.restore(page, text)
    except ShelfError as error:
        raise BadInput(str(error), "look at the page, then restore again") from None
    body = {"page": page, "version": version, "actor": actor.as_json()}
    done = body | {"journal_id": record(home, "restore", body, _now())}
    out.emit(done, as_json=as_json, text=lambda: f"{page} is version {version} again, by {actor.name} ({done['journal_id']})")


def _fresh(home: "Home") -> "Shelf":
    """The shelf, its index and the pages that code makes of the journals up to date."""
    from memory import decisions, index, recall
    from memory.shelf import Shelf, ShelfError
    from tools.handoff import write_handoff

    shelf = Shelf(home.path / "memory")
    with suppress(ShelfError, OSError):  # a person edits the page at this moment
        write_handoff(home.engine, home.path)  # else it calls a proposal pending that was decided since the last turn
    decisions.write_decisions(shelf, home.people_journal)
    index.refresh(shelf, recall.pieces)
    return shelf


def _listed(shelf: "Shelf") -> list[dict[str, Any]]:
    from memory import recall

    pages = [page for topic in shelf.topics() if (page := _page(shelf, topic))]
    return [
        {
            "page": page.topic,
            "trust": recall.trust_of(page),
            "changed_ms": page.changed_ms,
            "age": recall.age(_now() - page.changed_ms),
            "bytes": len(page.text.encode()),
            "versions": len(shelf.versions(page.topic)),
        }
        for page in pages
    ]


def _page(shelf: "Shelf", topic: str) -> Any:
    """The page or None. BadInput for an invalid topic."""
    from memory.shelf import ShelfError

    try:
        return shelf.read(topic)
    except ShelfError as error:
        raise BadInput(str(error), "see `nightdesk memory show`") from None


def _numbers(shelf: "Shelf", topic: str) -> list[int]:
    _page(shelf, topic)
    return [int(path.stem) for path in shelf.versions(topic) if path.stem.isdecimal()]


def _text(shelf: "Shelf", topic: str, version: int | None) -> str:
    """A page's text, as it is or as it was."""
    found = _page(shelf, topic)
    if version is None:
        if found is None:
            raise BadInput(f"there was never a page {topic}", "see `nightdesk memory show`")
        return str(found.text)
    numbers = _numbers(shelf, topic)
    if version not in numbers:
        raise BadInput(f"{topic} has no version {version}", f"versions: {', '.join(map(str, numbers[-10:])) or 'none'}")
    return next(p for p in shelf.versions(topic) if p.stem.isdecimal() and int(p.stem) == version).read_text("utf-8", "replace")


def _changed(old: str, new: str, old_name: str, new_name: str) -> list[str]:
    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm="", n=2))


def _contradictions(shelf: "Shelf", only: set[str] | None = None) -> list[dict[str, str]]:
    """Of all pages, or those that concern the pages `only`."""
    from memory import contradictions, recall

    found = contradictions.contradictions(recall.readable(shelf))
    return [c._asdict() for c in found if only is None or {c.topic, c.other} & only]


def _flags(against: Sequence[dict[str, str]]) -> list[str]:
    return [
        f"! {c['topic']}: {shown(c['text'])[:160]}\n  contradicts {c['other']}: {shown(c['other_text'])[:160]}" for c in against
    ]


def _printable(text: str) -> str:
    """Any page on a terminal, its line breaks kept."""
    return "\n".join(shown(line) for line in text.split("\n"))


def _now() -> int:
    return round(time.time() * 1000)
