"""`nightdesk making adopt`: a named person takes up what a maker's account holds otherwise than its journal.

Called by app/cli/making_live.py. The maker's process does not run meanwhile; its next start compares with the account again.
"""

from typing import Any

import typer

from app.cli import handing, out
from app.cli.words import shown
from engine.amounts import price_text, quantity_text
from engine.errors import BadInput


def adopt(
    name: str = typer.Argument(..., metavar="NAME", help="A maker at an account that does not run."),
    inventory: float | None = typer.Option(None, "--inventory", help="Base units that the venue holds; negative: short."),
    price: float | None = typer.Option(None, "--price", help="At which the difference was traded (default: of the strangers)."),
    fee: float | None = typer.Option(None, "--fee", help="That was paid for it, quote currency; 0 where it was another's."),
    reason: str = typer.Option("", "--reason", help="What you found at the venue."),
    as_name: str = typer.Option("", "--as", metavar="NAME", help="Who adopts."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask again."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Adopt what a stranger has traded at a maker's account: its journal holds what the venue holds, and it may start again."""
    from app.home.home import existing_home
    from app.people import maker_adoptions as adoptions
    from app.people.identity import identify
    from engine.making.fold import scale_of

    home = existing_home()
    if inventory is None:
        book = adoptions.book_of(home, name)
        held = float(scale_of(book).quantity(book.inventory))
        value = {"maker": name, "inventory": held, "strangers": adoptions.strangers_of(home, name)}
        out.emit(value, as_json=as_json, text=lambda: _list_text(value, 10.0 ** -scale_of(book).lot_digits))
        return
    if not as_name.strip():
        raise BadInput("an adoption needs a name", "--as NAME")
    actor = identify(home.path, as_name, "cli")
    seen = adoptions.previewed(home, name, adoptions.HeldAtVenue(inventory, price, fee), reason, actor)
    out.say(_preview_text(seen))
    if not yes:
        typer.confirm("Adopt this?", abort=True, err=True)
    adoptions.adopt(home, name, seen, actor, handing.now(), handing.passphrase(home, actor, "adopt", "adopt"))
    body = seen.as_json() | {"actor": actor.as_json()}
    out.emit(
        body, as_json=as_json, text=lambda: f"Adopted by {actor.name}. Its start compares again: nightdesk making live {name}"
    )


def _list_text(value: dict[str, Any], lot: float) -> str:
    """What the journal holds, what strangers have traded, and how it is adopted."""
    lines = [f"The journal of {shown(value['maker'])} holds {quantity_text(value['inventory'])}."]
    for one in value["strangers"]:
        lines.append(
            f"  a stranger's: {quantity_text(one['side'] * one['lots'] * lot)} at {price_text(one['price'])}, {shown(one['id'])}"
        )
    lines += ["Compare with the venue's own page, then:"]
    lines += [f"  nightdesk making adopt {shown(value['maker'])} --inventory WHAT-THE-VENUE-HOLDS --fee F --as NAME --reason WHY"]
    return "\n".join(lines)


def _preview_text(seen: Any) -> str:
    """What it will do, before it is done."""
    moved = f"{quantity_text(seen.inventory_before)} -> {quantity_text(seen.inventory_after)}"
    cash = f"{price_text(seen.net_before)} -> {price_text(seen.net_after)}"
    return f"{shown(seen.maker)}: inventory {moved} at {price_text(seen.price)}, fee {price_text(seen.fee)}; its cash {cash}"
