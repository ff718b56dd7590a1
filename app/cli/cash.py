"""`nightdesk cash in | out | list`: cash that was put into the account or taken out of it, as people declare it or as the bills
of a traded account have it. Called by app/cli/main.py.
"""

import time

import typer

from app.cli import out
from app.cli.words import shown
from engine.clock import utc

AMOUNT = typer.Argument(..., metavar="AMOUNT", help="quote units")
REASON = typer.Option("", "--reason", help="where it came from, or went")
AS = typer.Option("", "--as", metavar="NAME", help="who declares it (asked for when it is left out)")
JSON = typer.Option(False, "--json")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Cash in and out of the account, as people declare it or its bills have it.")
    group.command("in")(cash_in)
    group.command("out")(cash_out)
    group.command("list")(list_cash)
    app.add_typer(group, name="cash")


def cash_in(amount: float = AMOUNT, reason: str = REASON, as_name: str = AS, as_json: bool = JSON) -> None:
    """Declare a deposit. It reaches no sleeve: it is what the account has beside them."""
    _declare(amount, 1.0, reason, as_name, as_json=as_json)


def cash_out(amount: float = AMOUNT, reason: str = REASON, as_name: str = AS, as_json: bool = JSON) -> None:
    """Declare a withdrawal; refused beyond what the account has by the desk's books."""
    _declare(amount, -1.0, reason, as_name, as_json=as_json)


def _declare(amount: float, sign: float, reason: str, as_name: str, *, as_json: bool) -> None:
    from app.home.home import existing_home
    from app.people.cash import declare
    from app.people.identity import identify
    from engine.errors import BadInput

    if not amount > 0:
        raise BadInput(f"{amount:g} is not an amount", "give it without a sign: cash out 500")
    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    actor = identify(home.path, as_name or typer.prompt("your own name", err=True), "cli")
    event = declare(home, sign * amount, reason, actor, now_ms)
    value = {"amount": round(sign * amount, 2), "journal_id": event, "actor": actor.as_json()}
    out.emit(value, as_json=as_json, text=lambda: f"{value['amount']:+,.2f} declared by {actor.name} ({event}).")


def list_cash(as_json: bool = JSON) -> None:
    """List cash in and out, oldest first, with what the account has beside the sleeves: declared, and read from its bills."""
    from app.home.home import existing_home
    from engine.watch.cash_moves import sums_of, transfer_events
    from engine.watch.identity import cash_events

    home = existing_home().path
    events, read = cash_events(home), transfer_events(home)
    items = [{"id": e.id, "t_ms": e.t_event_ms, **e.body} for e in events]
    transfers = [{"id": e.id, **e.body, "cash": round(e.body["cash"], 8)} for e in read]
    total = round(sum(item["amount"] for item in items) + sum(sums_of(read).values()), 2)
    lines = [
        f"{utc(i['t_ms'])}  {i['amount']:+,.2f}  {shown(i['reason'])} ({shown(i['actor']['name'])}, {i['id']})" for i in items
    ]
    lines += [
        f"{utc(t['t_ms'])}  {t['cash']:+,.2f}  {t['kind']} ({shown(t['word'])}, bill {shown(t['bill'])})" for t in transfers
    ]
    value = {"items": items, "transfers": transfers, "total": total}
    out.emit(value, as_json=as_json, text=lambda: "\n".join([*lines, f"{total:+,.2f} beside the sleeves"]))
