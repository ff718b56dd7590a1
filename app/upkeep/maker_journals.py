"""A stored maker beside its journal: is the chain whole, is its fold what is shown? Called by `nightdesk making show`."""

from pathlib import Path
from typing import Any

from app.home.home import Home
from app.upkeep.journals import another_part
from engine.errors import DataError
from engine.making.fold import folded, scale_of
from engine.making.stored import JOURNAL, folder_of, stored
from engine.store.journal import read, verify


def checked(home: Home, name: str) -> dict[str, Any]:
    """What is shown of a maker, and `journal`: {ok, events, text}. Raises BadInput for a maker that does not exist."""
    folder = folder_of(home.path, name)
    body = stored(folder)
    body["journal"] = _journal(folder / JOURNAL, body)
    if body["journal"]["ok"] and (part := another_part(home, f"maker {name}")):
        body["journal"] |= {"ok": False, "text": f"{part} is not the part that was packed: the database recorded another digest"}
    return body


def _journal(path: Path, body: dict[str, Any]) -> dict[str, Any]:
    """The journal held against what is shown of a maker that is over."""
    if not path.exists():
        return {"ok": True, "events": 0, "text": "none: a simulation keeps none"}
    report = verify(path)
    found = {"ok": False, "events": report.rows}
    if not report.ok:
        return found | {"text": f"line {report.line}: {report.reason}"}
    try:
        book = folded(read(path))
        held = float(scale_of(book).quantity(book.inventory))
    except (DataError, KeyError, TypeError, ValueError) as error:
        return found | {"text": f"it cannot be folded: {str(error)[:200]}"}
    figures = body["figures"]
    same = (book.fills, book.intents, held) == (figures["fills"], figures["orders"], figures["inventory"])
    if not same and (body["state"] == "over" or book.fills < figures["fills"]):
        return found | {
            "text": f"it has {book.fills} fills and {held:g} inventory, shown are {figures['fills']} and {figures['inventory']:g}"
        }
    return {"ok": True, "events": report.rows, "text": f"{report.rows:,} events, the chain is whole, its fold is what is shown"}
