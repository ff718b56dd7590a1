"""`nightdesk adopt`: a named person decides about a difference between desk and venue. Called by app/cli/main.py.

Shows sleeve, layer and units before and after, asks, and hands the decision to the worker, which alone writes the journal.
"""

from typing import Any

import typer

from app.cli import handing, out
from app.cli.words import shown
from engine.amounts import price_text, quantity_text
from engine.errors import BadInput

CHANNEL = "cli"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("adopt")(adopt_difference)


def adopt_difference(
    difference: str = typer.Argument(
        "", metavar="DIFFERENCE", help="trade or order that differs, with --keep also an instrument: all its trades; empty: list"
    ),
    as_name: str = typer.Option("", "--as", metavar="NAME", help="who adopts"),
    reason: str = typer.Option("", "--reason", help="what you found at the venue"),
    keep: bool = typer.Option(False, "--keep", help="the desk's position is the venue's: nothing moves"),
    sleeve: str = typer.Option("", "--sleeve", help="sleeve whose position the venue holds otherwise"),
    units: float | None = typer.Option(None, "--units", help="base units that the venue holds; negative: short; 0: none"),
    layer: int | None = typer.Option(None, "--layer", min=1, help="layer of the sleeve (default: the only one, or a new one)"),
    price: float | None = typer.Option(None, "--price", help="at which it changed (default: of the trade that differs)"),
    fee: float | None = typer.Option(None, "--fee", help="that was paid for it (default: of the trade that differs)"),
    yes: bool = typer.Option(False, "--yes", help="do not ask again"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Adopt a difference between desk and venue: book what the venue holds, or keep the desk's position."""
    from app.home.home import open_home
    from app.people.adoptions import Held, open_differences, previewed
    from app.people.identity import identify
    from engine.watch.venue_detectors import trades_of

    home = open_home()
    found = open_differences(home)
    if not difference or not found:
        out.emit({"differences": found}, as_json=as_json, text=lambda: _list_text(found))
        return
    if keep == bool(sleeve) or (sleeve != "") != (units is not None):
        raise BadInput("say what the venue holds", "--sleeve NAME --units U, or --keep when the desk's position is right")
    if not as_name.strip():
        raise BadInput("an adoption needs a name", "--as NAME")
    actor = identify(home.path, as_name, CHANNEL)
    held = None if units is None else Held(sleeve, units, layer, price, fee)
    named = [difference] if difference in found or not keep else trades_of(found, difference) or [difference]
    previews = [previewed(home, one, held, reason, actor) for one in named]
    out.say("\n".join(_preview_text(preview) for preview in previews))
    if not yes:
        typer.confirm("Adopt this?", abort=True, err=True)
    _hand_over(home, previews, actor, as_json)


def _hand_over(home: Any, previews: list[Any], actor: Any, as_json: bool) -> None:
    """Prove the person, hand the adoptions over one after the other, wait for the worker's answers and print them."""
    from app.people.adoptions import adopt

    word, values = handing.passphrase(home, actor, "adopt", "adopt"), []
    for preview in previews:
        number = adopt(home, preview, actor, handing.now(), word)
        state = handing.answered(home, number, "nightdesk adopt")
        values.append(preview.as_json() | {"number": number, "state": state, "actor": actor.as_json()})
    value = values[0] if len(values) == 1 else {"items": values}
    out.emit(value, as_json=as_json, text=lambda: _answer_text(state, actor))


def _list_text(found: dict[str, str]) -> str:
    """Every difference in a line, and how one is adopted."""
    if not found:
        return "Nothing to adopt: the desk knows of no difference from the venue."
    lines = [f"{shown(name):<24} {shown(text)}" for name, text in found.items()]
    return "\n".join(
        [
            "No sleeve enters while desk and venue differ, or something waits for a person's word:",
            *lines,
            "Compare with the venue's own page, then one of:",
            "  nightdesk adopt DIFFERENCE --keep --as NAME --reason WHY",
            "  (refusals, a clock and the like take --keep alone: the desk goes on, and counts anew)",
            "  nightdesk adopt DIFFERENCE --sleeve SLEEVE --units WHAT-THE-VENUE-HOLDS --as NAME --reason WHY",
        ]
    )


def _preview_text(preview: Any) -> str:
    """What it will do, before it is done."""
    head = f"{shown(preview.difference)}: {shown(preview.text)}"
    if not preview.sleeve:
        return f"{head}\nNo position moves; the difference ends, and entries may go on."
    name, before, after = shown(preview.sleeve), f"{quantity_text(preview.units_before)}", f"{quantity_text(preview.units_after)}"
    lines = [head, f"{name}, layer {preview.layer}: {before} -> {after} units"]
    if preview.units_before != preview.units_after:
        lines.append(f"booked at {price_text(preview.body['price'])}, fee {price_text(preview.body['fee'])}")
    left = None if preview.stop is None else price_text(preview.stop)
    stop = "no layer is left: its stop and target are cancelled" if left is None else f"its stop is at {left}"
    return "\n".join([*lines, stop])


def _answer_text(state: str, actor: Any) -> str:
    """The outcome in a sentence."""
    if state == "pending":
        return "Recorded. The worker adopts it as soon as it runs: nightdesk up"
    return f"Adopted by {actor.name} ({actor.assurance}). Entries go on once no other difference is left."
