"""Colours of the page, once for dark and once for light. Called by parts.py (the sheet), charts.py and app/cli/ui.py (the theme).

CSS follows the theme of the browser by light-dark(), without Python; a chart asks for the value. PAIRS are the pairs that people
have to read, with the least contrast (WCAG 2) each needs; tests/app/ui/test_tokens.py computes it.
"""

from typing import Literal

Theme = Literal["dark", "light"]
TOKENS: dict[str, tuple[str, str]] = {  # name: (dark, light)
    "bg": ("#0f1419", "#f6f8fa"),
    "surface": ("#171e26", "#ffffff"),
    "raised": ("#202935", "#eef2f6"),
    "line": ("#2a3440", "#d5dce4"),
    "grid": ("#1d252e", "#e9edf2"),
    "text": ("#dde5ee", "#18222d"),
    "muted": ("#98a6b5", "#55636f"),
    "edge": ("#657587", "#7b8896"),
    "accent": ("#5c9df2", "#1f66c1"),
    "fill": ("#2c6cc4", "#1f66c1"),
    "up": ("#2fb594", "#08795f"),
    "down": ("#e8686c", "#c22f3a"),
    "warn": ("#dda03d", "#8c5800"),
    "halt": ("#c93a3a", "#c22f3a"),
    "hold": ("#8b98a7", "#75818e"),
    "series2": ("#c792ea", "#7b3fb0"),
}
GROUNDS = ("bg", "surface", "raised")
READ, SEEN = 4.5, 3.0  # text; lines and signs
PAIRS: tuple[tuple[str, str, float], ...] = (  # (front, ground, least contrast); white stands on what is filled
    *((front, ground, READ) for front in ("text", "muted", "accent", "up", "down", "warn", "series2") for ground in GROUNDS),
    *((front, ground, SEEN) for front in ("edge", "hold") for ground in GROUNDS),
    ("#ffffff", "fill", READ),
    ("#ffffff", "halt", READ),
)
STREAMLIT = {  # Streamlit's own name of a colour -> token
    "backgroundColor": "bg",
    "secondaryBackgroundColor": "surface",
    "textColor": "text",
    "primaryColor": "accent",
    "borderColor": "line",
    "linkColor": "accent",
    "redColor": "down",
    "orangeColor": "warn",
    "greenColor": "up",
    "blueColor": "accent",
    "dataframeBorderColor": "grid",
    "dataframeHeaderBackgroundColor": "raised",
}


def value(name: str, theme: Theme) -> str:
    """A token's colour; what is no token is a colour itself."""
    return TOKENS[name][theme == "light"] if name in TOKENS else name


def variables() -> str:
    """The tokens as CSS variables that follow the theme."""
    return " ".join(f"--{name}: light-dark({light}, {dark});" for name, (dark, light) in TOKENS.items())


def theme_options() -> dict[str, str]:
    """Streamlit's settings of both themes; the system or the person chooses one."""
    sizes = {"theme.baseFontSize": "14", "theme.baseRadius": "6px", "theme.buttonRadius": "6px", "theme.linkUnderline": "false"}
    themes: tuple[Theme, Theme] = ("dark", "light")
    return sizes | {f"theme.{theme}.{key}": value(name, theme) for theme in themes for key, name in STREAMLIT.items()}
