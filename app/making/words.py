"""A maker as text. Called by app/cli/making_paper.py and app/processes/maker.py."""

from collections.abc import Mapping
from typing import Any


def text_of(body: Mapping[str, Any]) -> str:
    """Verdict, figures, halt, journal."""
    figures = body["figures"]
    lines = [
        f"{body['verdict'].upper()}: {body['why']}",
        f"{body['name']}: {body['quoter']} on {body['venue']} {body['symbol']} {body['market']}, {body['kind']}, {body['state']}",
        f"  {figures['orders']:,} orders, {figures['fills']:,} fills, inventory {figures['inventory']:g},"
        f" net {figures['net']:+,.4f} after fees of {figures['fees']:,.4f}"
        f" and funding of {figures.get('funding', 0.0):+,.4f}",
    ]
    if body.get("account"):
        lines.insert(1, account_text(body))
    speeds = [f"{c['from_s']}-{c['to_s'] or ''} s: {c['fills']}" for c in body["picture"]["by_speed"]]
    lines.append(f"  fills by how long the order rested: {'   '.join(speeds)}")
    if body["halt"]:
        why = f": {body['halt']['reason']}" if body["halt"]["reason"] else ""
        lines.append(f"  HALTED after {body['halt']['at_s']:.1f} s by {body['halt']['rule']}{why}")
    if killed := body.get("killed"):
        lines.append(
            f"  the halt ended in {killed['state']}" + (f", left: {'; '.join(killed['left'])}" if killed["left"] else "")
        )
    if "journal" in body:
        lines.append(f"  journal: {body['journal']['text']}")
    return "\n".join(lines)


def account_text(body: Mapping[str, Any]) -> str:
    """Which account, with which money, by which step."""
    money = "REAL MONEY" if body["mode"] == "live" else "PLAY MONEY"
    return f"{str(body['mode']).upper()} at the account {body['account']}, {money}, stage {body['stage']}"
