"""A desk to look at: four sleeves on a synthetic market, alerts that ask for something, a canary, an incident, proposals, runs.

Used by pictures.py and test_every_button.py. By hand, until Ctrl-C: `python -m tests.app.ui.demonstration FOLDER [API UI]`, with
two free ports. Everything in it is made by the commands that a person types, on a real running desk.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.watch.heartbeat import heartbeat_of
from tests.app.ui.browsers import Place, started
from tests.fakes import stored_models
from tests.fakes.papers import furnished
from tests.fakes.waiting import until

DAYS = 75
PACE = "0.05"  # bars a second after the replay: hardly anything moves while somebody looks
MODEL, SOL = "dir-sol-usdt", "synthetic:SOL-USDT:perp"
SLEEVE = f"""[[sleeves]]
name = "sol-signal"
strategy = "mlsignal"
venue = "synthetic"
symbol = "SOL-USDT"
market = "perp"
timeframe = "15m"
side = "both"
cash = 10000.0
models = "{MODEL}=1.0.0"
params = {{}}

"""
LIMITS = "# ---- Hard limits"  # of desk.toml: what follows the sleeves
STEPS: tuple[tuple[str, ...], ...] = (
    ("models", "propose", f"{MODEL}@1.1.0", "--sleeve", "sol-signal", "--canary", "50% for 200 bars"),  # prop-1
    ("proposals", "approve", "prop-1", "--as", "vera"),
    ("watches", "add", "price", "BTC-USDT", "above", "1000", "--as", "vera"),
    ("chat", "--role", "operator", "Tell me when ETH-USDT falls below 1000"),
    ("incidents", "open", "--cause", "the mark price jumped away from the index", "--sleeve", "eth-trend", "--as", "vera"),
    ("runbooks", "begin", "incident", "--about", "w1", "--as", "vera"),
    ("chat", "--role", "developer", "Propose stop_atr 3 for the ETH trend sleeve"),  # prop-2
    ("chat", "--role", "operator", "Pause sol-reversion for 24 hours"),  # prop-3
    ("chat", "--role", "developer", "--thread", "new", "Backtest trend on BTC-USDT 15m, and compare a 2 ATR with a 3 ATR stop"),
    ("chat", "--role", "operator", "--thread", "new", "What happened since yesterday? Is anything wrong?"),
    ("drift",),
    ("audit",),
)


def furnish(home: Path) -> None:
    """The market, two versions of a model, and a sleeve that reads the older one; nothing has run."""
    furnished(home, DAYS)
    for version, days in (("1.0.0", stored_models.DAYS), ("1.1.0", (20, 31, 36))):  # two that differ, as a training makes them
        stored_models.store(home / "models", MODEL, version, instrument=SOL, days=days)
    stored_models.store(home / "models", "calm-btc", "1.0.0", of_regimes=True)


class ShownDesk(Place):
    """The running desk, and where its answers are: `threads` by the question that began them."""

    threads: dict[str, str]

    def views(self) -> dict[str, str]:
        """The address of each view, by a short name."""
        one, other, *_ = [run["id"] for run in self.command("runs", "list")["items"]]
        order = self.command("orders", "list")["items"][0]["cid"]
        event = self.command("journal", "tail")["items"][-1]["id"]
        asked = {
            f"thread {n}": f"?tab=chat&role={role}&thread={found}" for n, (found, role) in enumerate(self.threads.items(), 1)
        }
        return {
            "desk": "?tab=desk",
            **{name: f"?tab=desk&view={name}" for name in ("account", "journal", "alerts", "handover", "people")},
            "order": f"?tab=desk&view=account&order={order}",
            "event": f"?tab=desk&view=journal&event={event}",
            "incident": "?tab=desk&view=alerts&window=w1",
            "sleeves": "?tab=sleeves",
            **{name: f"?tab=sleeves&sleeve={name}" for name in ("btc-trend", "sol-signal")},
            "runs": "?tab=runs",
            "run": f"?tab=runs&run={one}",
            "pair": f"?tab=runs&run={one}&with={other}",
            "proposals": "?tab=proposals",
            **{name: f"?tab=proposals&proposal={name}" for name in ("prop-1", "prop-2")},
            "chat": "?tab=chat",
            **asked,
        }


@contextmanager
def demonstration(folder: Path, ports: tuple[int, int] | None = None) -> Iterator[ShownDesk]:
    """The running desk; `ports`: of API and page, else free ones."""
    furnish(folder / "home")
    place = ShownDesk(folder / "home")
    place.threads = {}
    if ports is not None:
        place.api, place.ui = ports
        place.env |= {"NIGHTDESK_API_PORT": str(ports[0]), "NIGHTDESK_UI_PORT": str(ports[1])}
        place.page = f"http://127.0.0.1:{ports[1]}/"
    with started(place, "init") as made:
        made.wait()
    settings = place.home / "desk.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace(LIMITS, SLEEVE + LIMITS, 1), encoding="utf-8")
    with started(place, "up", "--bars-per-second", PACE):
        until(lambda: heartbeat_of(place.home).get("phase") == "running", "the worker never ran")
        until(place.listens, "API or page never listened")
        for words in STEPS:
            found = place.command(*words)
            if words[0] == "chat":
                place.threads[str(found["thread"])] = words[words.index("--role") + 1]
        yield place


def main() -> None:
    """Keep one up until Ctrl-C."""
    folder, *ports = sys.argv[1:]
    with demonstration(Path(folder), (int(ports[0]), int(ports[1])) if ports else None) as place:
        print(place.command("login", "--as", "vera")["url"], flush=True)
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
