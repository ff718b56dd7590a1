"""Colours and the sheet: every pair that is read has its contrast, Streamlit gets both themes, no rule of the sheet is idle."""

import re
from pathlib import Path

import pytest
import streamlit

from app.cli import ui
from app.ui.parts import LINE
from app.ui.tokens import PAIRS, TOKENS, Theme, value

PAGE = Path(ui.__file__).resolve().parents[1] / "ui"
SHEET = re.sub(r"/\*.*?\*/", "", (PAGE / "sheet.css").read_text(), flags=re.DOTALL)
OURS = "\n".join(path.read_text() for kind in ("*.py", "*.js") for path in sorted(PAGE.rglob(kind)))


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    """Black on white is 21, a colour on itself 1; the gray of the standard's own examples is just below 4.5."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#808080", "#808080") == 1
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_pair_can_be_read(theme: Theme) -> None:
    """Text has 4.5, lines and signs have 3, in dark and in light, on each ground they stand on."""
    thin = {
        (front, ground): round(contrast(value(front, theme), value(ground, theme)), 2)
        for front, ground, least in PAIRS
        if contrast(value(front, theme), value(ground, theme)) < least
    }
    assert not thin


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_small_line_of_an_image_is_seen_on_a_panel(theme: Theme) -> None:
    """An image does not know the theme: its one colour has 3 on the panels of both."""
    assert contrast(LINE, value("surface", theme)) >= 3


def test_every_color_of_text_and_lines_is_in_a_pair() -> None:
    """A new token is judged, or is one of those that carry nothing to read."""
    judged = {name for front, ground, _ in PAIRS for name in (front, ground)}
    assert set(TOKENS) - judged == {"line", "grid"}


def test_streamlit_gets_both_themes_and_chooses_none() -> None:
    """The system or the person chooses: each theme has its own background, and none is the base."""
    flags = ui.flags()
    given = dict(zip(flags[::2], flags[1::2], strict=True))
    assert (given["--theme.dark.backgroundColor"], given["--theme.light.backgroundColor"]) == TOKENS["bg"]
    assert "--theme.base" not in given


def test_every_color_of_the_sheet_is_a_token() -> None:
    """No rule has a colour of its own, but white on what is filled; no variable is misspelt."""
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", SHEET)) <= {"#fff"}
    assert set(re.findall(r"var\(--([\w-]+)", SHEET)) <= set(TOKENS)


def test_no_rule_of_the_sheet_is_idle() -> None:
    """Each class and key of the sheet is written by a page, each test id by this Streamlit; a new one may rename it."""
    bundle = "".join(path.read_text() for path in (Path(streamlit.__file__).parent / "static" / "static" / "js").glob("*.js"))
    ids = set(re.findall(r'data-testid="(\w+)"', SHEET))
    assert {name for name in ids if name not in bundle} == set()
    keys = set(re.findall(r"st-key-(\w+)", SHEET))
    assert {name for name in keys if f'"{name}' not in OURS} == set()
    selectors = re.sub(r"\[[^]]*\]|\{[^}]*\}|st-key-\w+|stApp", "", SHEET)
    classes = set(re.findall(r"\.([a-z][\w-]*)", selectors))
    assert {name for name in classes if not re.search(rf"\b{name}\b", OURS)} == set()
