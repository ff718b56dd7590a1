"""The wheel carries what the program opens: every file of the packages that git knows, the page, runbooks and glossary.

Asked of setuptools without building; tests/app/test_wheel_installed.py (long) builds it, installs it elsewhere and uses it.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "agents", "tools", "memory", "engine")
ABOVE = re.compile(r"""__file__\)\.resolve\(\)\.parents\[\d\] / ["'](?!engine|agents|app|tools|memory)(\w[\w.]*)["']""")
AT_THE_TOP = {"streamlit_app.py"}  # [tool.setuptools] py-modules


@pytest.fixture(scope="module")
def shipped() -> set[str]:
    """Paths in the wheel, as setuptools would fill it from pyproject.toml."""
    code = (
        "import logging, os; logging.disable(60)\n"
        "from setuptools.dist import Distribution\n"
        "found = Distribution(); found.parse_config_files(); found.set_defaults(); found.script_name = 'setup.py'\n"
        "step = found.get_command_obj('build_py'); step.ensure_finalized()\n"
        "print('\\n'.join(os.path.join(at, name) for _, at, _, names in step.data_files for name in names))\n"
        "print('\\n'.join(path for _, _, path in step.find_all_modules()))\n"
    )
    python = ROOT / ".venv" / "bin" / "python"
    found = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return {str(Path(line)) for line in found.stdout.splitlines() if line}


def test_every_file_of_the_packages_is_shipped(shipped: set[str]) -> None:
    """A file that git knows in a package, code or data, is in the wheel: what works in a checkout works installed."""
    known = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = {path for path in known.splitlines() if not (ROOT / path).is_dir()} | AT_THE_TOP
    assert sorted(wanted - shipped) == []


def test_the_pages_that_the_program_shows_are_shipped(shipped: set[str]) -> None:
    """Every runbook, the table of their checks and the glossary, at the place where tools/shipped looks for them."""
    wanted = {f"tools/shipped/runbooks/{path.name}" for path in (ROOT / "docs" / "runbooks").iterdir()}
    assert sorted((wanted | {"tools/shipped/glossary.md"}) - shipped) == []


def test_no_module_opens_a_file_beside_the_packages() -> None:
    """Code that reads docs/ or another folder of the checkout would find nothing once it is installed."""
    found = {
        (str(path.relative_to(ROOT)), name)
        for folder in PACKAGES
        for path in (ROOT / folder).rglob("*.py")
        for name in ABOVE.findall(path.read_text(encoding="utf-8"))
        if name not in AT_THE_TOP
    }
    assert found == set()
    assert ABOVE.findall('Path(__file__).resolve().parents[1] / "docs" / "runbooks"') == ["docs"]
