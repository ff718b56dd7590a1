"""docs/runbooks/risk.md quotes the code: every limit is there with the default that the code declares."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from engine.control.limits import HardLimits
from engine.strategies.params import StrategyParams

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "runbooks" / "risk.md").read_text()


def quoted(title: str) -> dict[str, str]:
    """Name -> the value that the section's table has."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", section, re.M))


def test_every_hard_limit_is_there_with_its_default() -> None:
    """No limit of desk.toml is left out, none is invented."""
    defaults = {name: field.default for name, field in HardLimits.model_fields.items()}
    assert quoted("Limits of the desk") == {name: f"{value:g}" if value != () else "none" for name, value in defaults.items()}


def test_parameters_that_bound_a_sleeve_are_quoted_with_their_defaults() -> None:
    """A parameter by another name, or with another default, is a wrong page."""
    page = quoted("Limits of a sleeve")
    assert {name: f"{StrategyParams.model_fields[name].default:g}" for name in page} == page
    assert set(page) >= {name for name in StrategyParams.model_fields if name.startswith("risk_") or name.endswith("_max")}


@pytest.mark.parametrize(("name", "value"), quoted("Fixed in code").items())
def test_what_is_fixed_in_code_is_quoted(name: str, value: str) -> None:
    """Constants of the duties."""
    module, _, constant = name.rpartition(".")
    assert f"{getattr(import_module(module), constant):.10g}" == value
