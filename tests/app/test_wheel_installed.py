"""The wheel, built and installed into an environment of its own, runs outside the checkout: commands, desk, page and chat."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.waiting import WAIT_S, free_port, until

ROOT = Path(__file__).parents[2]
UV = ROOT / ".uv" / "bin" / "uv"
PACKAGES = ("app", "agents", "tools", "memory", "engine")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
pytestmark = pytest.mark.long


def done(*words: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What a command has printed; it ended well."""
    ended = subprocess.run([str(w) for w in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=1_200, check=False)
    assert ended.returncode == 0, f"{words}: {ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel and what the lock names, and nothing of the checkout."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "streamlit_app.py"):
        shutil.copy(ROOT / name, source)
    done(sys.executable, "-c", BUILD, place, cwd=source)
    (wheel,) = place.glob("nightdesk-*.whl")
    shutil.rmtree(source)
    done(sys.executable, "-m", "venv", "--without-pip", place / "env", cwd=place)
    python = place / "env" / "bin" / "python"
    if UV.exists():
        done(UV, "pip", "install", "--quiet", "--python", python, "--constraints", ROOT / "requirements.lock", wheel, cwd=place)
    else:
        pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
        done(*pip, "--constraint", ROOT / "requirements.lock", wheel, cwd=place)
    done(python, "-P", "-m", "engine.core.kernel", cwd=place)  # compiled once: a busy machine takes longer than a backtest may
    return place / "env" / "bin"


@pytest.fixture
def outside(installed: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An empty folder, and an environment that names neither the checkout nor a home."""
    own = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    ports = {name: str(free_port()) for name in ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT")}
    return tmp_path, own | ports | {"PATH": f"{installed}:/usr/bin:/bin"}


def test_commands_work_in_an_empty_folder(installed: Path, outside: tuple[Path, dict[str, str]]) -> None:
    """Version, a backtest with its report, an answer of the planner, a runbook and a word of the glossary."""
    folder, env = outside
    command = installed / "nightdesk"
    assert done(command, "--version", cwd=folder, env=env).startswith("nightdesk 0.")
    assert json.loads(done(command, "init", "--json", cwd=folder, env=env))["home"] == str(folder / "var")
    words = ("backtest", "trend", "--symbol", "BTC-USDT", "--timeframe", "15m", "--venue", "synthetic", "--json")
    run = json.loads(done(command, *words, cwd=folder, env=env))
    report = Path(run["folder"]) / "report.html"
    assert report.is_relative_to(folder)
    assert "dataset.chart" in report.read_text()  # its own script is in it
    answer = json.loads(done(command, "chat", "--role", "operator", "--json", "what is a sharpe ratio?", cwd=folder, env=env))
    assert answer["answer_md"]
    assert "Runbook halted" in done(command, "tool", "runbook", "--arg", "about=halted", cwd=folder, env=env)
    assert "sleeve" in done(command, "tool", "define", "--arg", "word=sleeve", cwd=folder, env=env).lower()
    found = done(installed / "python", "-P", "-c", "import app, tools; print(app.__file__, tools.__file__)", cwd=folder, env=env)
    assert str(ROOT) not in found


def test_the_desk_runs_and_its_page_opens(installed: Path, outside: tuple[Path, dict[str, str]]) -> None:
    """`nightdesk up` in an empty folder: the worker trades, the API is well, Streamlit serves the page; Ctrl-C ends it."""
    folder, env = outside
    with (folder / "up.txt").open("w") as out:
        words = [installed / "nightdesk", "up", "--bars-per-second", "3"]
        up = subprocess.Popen(words, cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        printed = folder / "up.txt"

        def linked() -> bool:
            assert up.poll() is None, printed.read_text()
            return "?code=" in printed.read_text() and "going on" in printed.read_text()

        until(linked, "no link came, or the worker does not trade", printed.read_text)
        for port, path, wanted in (("API", "/api/health", '"ok":true'), ("UI", "/", "<script")):
            with urllib.request.urlopen(f"http://127.0.0.1:{env[f'NIGHTDESK_{port}_PORT']}{path}", timeout=60) as answer:
                assert wanted in answer.read().decode().replace('": ', '":')
        up.send_signal(signal.SIGINT)
        assert up.wait(WAIT_S) == 0
        assert "the journal is whole" in printed.read_text()
    finally:
        if up.poll() is None:
            up.kill()
            up.wait()
