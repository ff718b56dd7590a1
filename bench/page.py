"""What a person at the page waits for: a cold chart of a year, a switch of the view, 20 clients, an answer by command.

Called by `python -m bench page [PROFILES]`, on a quiet machine: these are wall times. One temporary home whose worker has
traded a year of synthetic 15m bars with three sleeves; `nightdesk up` with two API processes; Debian's Chromium. PROFILES: a
folder for the CPU profiles of page and API. NIGHTDESK_BENCH_PAGE: a folder in which the desk is kept, so that only the first
time makes it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from app.client import Client
from app.people.sessions import Sessions
from bench.commands import ASKED, NIGHTDESK, SETTLED_S, family, spent, timed, until
from bench.office import AT_ONCE, Timed, at_once, environment_of, now_ms, ready, started
from bench.page_profile import profiled
from bench.verdicts import Verdicts
from engine.errors import BadInput

YEAR_S, ROUNDS = 1_500.0, 5
REST, REST_MOST_S = 0.1, 180.0  # of a core; s
PROCESSES = "\n[api]\nprocesses = 2\n"
# asked at each frame: for a locator Playwright looks after 20, 50, 100 and 100 ms, and from then on every 500
DRAWN = """() => [...document.querySelectorAll("[class*='st-key-panel_market'] [data-testid=stBidiComponentIsolated]")]
    .some((host) => host.shadowRoot?.querySelector('canvas[data-state]'))"""
IDLE = "() => document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state') !== 'running'"
VIEWS = (  # name of the tab, what is there once its view is drawn
    ("Sleeves", "[class*='st-key-panel_runs_what']"),
    ("Runs", "[class*='st-key-panel_run_list'] table, .sub"),
    ("Proposals", "text=Versions"),
    ("Chat", "[data-testid=stChatInput]"),
    ("Desk", "[class*='st-key-panel_lately'] table"),
)
SLEEVE = "?tab=sleeves&sleeve=btc-trend"


def lived(environment: Mapping[str, str], log: Path) -> None:
    """A home whose worker has traded all its synthetic bars, a year and a month of them."""
    subprocess.run([str(NIGHTDESK), "init"], env=dict(environment), check=True, capture_output=True)
    command = [sys.executable, "-P", "-m", "app.processes.worker", "--bars-per-second", "100000", "--stop-at-end"]
    with log.open("w") as out:
        subprocess.run(command, env=dict(environment), stdout=out, stderr=out, check=True, timeout=YEAR_S)
    with (Path(environment["NIGHTDESK_HOME"]) / "desk.toml").open("a") as file:
        file.write(PROCESSES)


def rested(pids: Sequence[int]) -> None:
    """Wait until the processes have made what they make as they start, the charts above all."""
    deadline = time.perf_counter() + REST_MOST_S
    while time.perf_counter() < deadline:
        before = spent(pids)
        time.sleep(SETTLED_S)
        if spent(pids) - before < REST * SETTLED_S:
            return


def logged_in(chromium: Any, environment: Mapping[str, str]) -> Any:
    """The cookie of a one-time link, for every browser after it."""
    words = [str(NIGHTDESK), "login", "--as", "bench"]
    done = subprocess.run(words, env=dict(environment), capture_output=True, text=True, check=True)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(next(word for word in done.stdout.split() if word.startswith("http")))
    page.locator(".st-key-head").wait_for()
    state = context.storage_state()
    context.close()
    return state


def cold(playwright: Any, path: str, state: Any, url: str) -> float:
    """s from the address of the sleeve's page, in a browser without any cache, to its drawn candles."""
    chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    page = chromium.new_context(storage_state=state, viewport={"width": 1280, "height": 900}).new_page()
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(f"{url}{SLEEVE}", wait_until="commit")
    page.wait_for_function(DRAWN)
    took = time.perf_counter() - begun
    chromium.close()
    return took


def switches(page: Any, url: str) -> dict[str, list[float]]:
    """s from a click on each tab to its view, and to the drawn candles of a sleeve; the first round is not counted."""
    found: dict[str, list[float]] = {name: [] for name, _ in (*VIEWS, ("a sleeve", ""))}
    page.goto(f"{url}?tab=desk")
    for n in range(ROUNDS + 1):
        for name, seen in VIEWS:
            page.wait_for_function(IDLE)
            begun = time.perf_counter()
            page.locator(".st-key-nav").get_by_role("radio", name=name).click()
            page.locator(seen).first.wait_for()
            found[name] += [time.perf_counter() - begun] if n else []
            if name == "Sleeves":
                page.wait_for_function(IDLE)
                begun = time.perf_counter()
                page.locator("a", has_text="btc-trend").first.click()
                page.wait_for_function(DRAWN)
                found["a sleeve"] += [time.perf_counter() - begun] if n else []
    return found


def browsed(environment: Mapping[str, str], pids: Sequence[int], table: Verdicts) -> None:
    """The rows of a browser; nothing where there is none."""
    from playwright.sync_api import sync_playwright

    from tests.app.ui.browsers import CHROMIUM

    if CHROMIUM is None:
        raise BadInput("no Chromium on this machine", "apt-get install chromium")
    url = f"http://127.0.0.1:{environment['NIGHTDESK_UI_PORT']}/"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        state = logged_in(chromium, environment)
        before = spent(pids)
        charts = [cold(playwright, CHROMIUM, state, url) for _ in range(ROUNDS)]
        shown = f"{np.median(charts):.2f} s ({', '.join(f'{s:.2f}' for s in charts)})"
        table.add("a year's chart, address to candles, no browser cache", float(np.median(charts)), "s", 1.5, shown)
        table.add("of it CPU of API, page and supervisor", (spent(pids) - before) / ROUNDS, "s CPU")
        page = chromium.new_context(storage_state=state, viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        before = spent(pids)
        found = switches(page, url)
        for name, seconds in found.items():
            shown = f"{np.median(seconds):.2f} s (most {max(seconds):.2f})"
            table.add(f"switch to {name}", float(np.median(seconds)), "s", 1.0, shown)
        count = sum(map(len, found.values())) * (ROUNDS + 1) / ROUNDS
        table.add("of each switch CPU of API, page and supervisor", (spent(pids) - before) / count, "s CPU")
        chromium.close()


def questions(environment: Mapping[str, str], table: Verdicts) -> None:
    """20 conversations at once, question upon question, over HTTP; then an answer by command."""
    home, url = Path(environment["NIGHTDESK_HOME"]), f"http://127.0.0.1:{environment['NIGHTDESK_API_PORT']}"
    clients = [Client(url, Sessions(home).open("bench", "all", now_ms())[0], home, timeout_s=60) for _ in range(AT_ONCE)]
    at_once(clients, 0.0)  # the first turns import, in each process
    rounds = [at_once(clients, 0.0) for _ in range(3)]
    pressed = Timed([s for one in rounds for s in one.seconds], [n for one in rounds for n in one.names])
    table.add(
        f"{AT_ONCE} clients at once, question upon question, two API processes",
        *pressed.against(95, 400),
        pressed.percentiles(50, 95),
    )
    timed(dict(environment), ASKED)
    answers = [timed(dict(environment), ASKED) for _ in range(3)]
    cpu, wall = (float(np.median(column)) for column in zip(*answers, strict=True))
    table.add("an offline answer by command", cpu, "s CPU", 2, f"{cpu:.2f} s CPU, {wall:.2f} s")


def page(words: list[str]) -> None:
    """Print the table."""
    folder = Path(os.environ.get("NIGHTDESK_BENCH_PAGE") or tempfile.mkdtemp(prefix="nightdesk-bench-"))  # kept where it is named
    environment, console = environment_of(folder / "home"), Console(width=None if sys.stdout.isatty() else 130)
    table = Verdicts("The page and its API on a desk that has traded a year of synthetic 15m bars, three sleeves")
    try:
        if not (folder / "home" / "desk.toml").exists():
            console.print("trading a year of bars, some minutes ...")
            folder.mkdir(parents=True, exist_ok=True)
            lived(environment, folder / "worker.log")
        if words:
            profiled(environment, Path(words[0]))
        with started(environment, ["up"], folder / "up.log") as desk:
            until(ready(environment), "API and page")
            until(lambda: "end" in (folder / "up.log").read_text(), "the worker at the end of its bars", 120)
            rested(family(desk.pid))
            browsed(environment, family(desk.pid), table)
            questions(environment, table)
        table.show()
    finally:
        if "NIGHTDESK_BENCH_PAGE" not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)
