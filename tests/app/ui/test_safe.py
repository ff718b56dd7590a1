"""The exit of foreign text: what it keeps, and that nothing else ever comes out of it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.ui import clocks
from app.ui.safe import JOIN, markdown, one_line, typeset, words

ROOT = Path(__file__).resolve().parents[3]
ALPHABET = st.text(alphabet="ab1 \n|*_~`[]()<>!:#\\/.@&;$-+=\"'{}w" + JOIN + "\u202e\x00", max_size=120)


@pytest.mark.parametrize(
    "command",
    [
        "kill -9 4495",
        "nightdesk adopt x --sleeve s --units -0.12 --price 5",
        "nightdesk adopt 'position of okx:B-U:perp' --units -1",
    ],
)
def test_a_minus_that_is_to_be_typed_stays_one(command: str) -> None:
    """A wide minus in it is no option and no number in a terminal; after the command it is one."""
    assert typeset(f"To do: {command}; it made -5.00") == f"To do: {command}; it made \u22125.00"


@pytest.mark.parametrize(
    "name",
    [
        "binance:BTC-USDT:perp order theirs",
        "position of bybit:BTC-USDT:perp",
        "okx:BTC-USDT:spot",
        "bybit:BTC-USDT:perp:a2ae69c-4edf",
    ],
)
def test_a_name_that_is_copied_from_the_page_is_the_name(name: str) -> None:
    """An invisible character in it would make it another one, which no command knows."""
    command = f"nightdesk adopt '{name}' --keep"
    for text in (markdown(command), words(command), markdown(f"**{command}**").strip("*")):
        assert JOIN not in text
        assert re.sub(r"\\(.)", r"\1", text) == command
    assert JOIN in words(":material/home: of x:y-z:perp :red[x] :smile:")


def test_an_answer_keeps_its_shape() -> None:
    """Bold, struck, code, lists, tables and own links are what they were."""
    shown = markdown("**I understood:** `x`\n\n- a\n1. b\n\n| m | v |\n|---|---|\n| return | [-1.5 %](run:r-1) |\n\n~~0.31~~")
    assert "**I understood" in shown
    assert "| return | [\u22121\\.5\u202f%](?tab=runs&run=r-1) |" in shown
    assert "~~0\\.31~~" in shown
    assert "\n- a\n1. b" in shown


def test_what_is_not_checked_is_grey_and_nothing_in_it_takes_effect() -> None:
    """One grey piece a mark, with links and bold inside it; a directive or a bracket of the model's own is text."""
    assert markdown("\u27e6It is **calm**.\u27e7 Yes.") == ":gray[It is **calm**\\.] Yes\\."
    assert markdown("\u27e6:red[x] ](y)\u27e7") == ":gray[" + markdown(":red[x] ](y)") + "]"
    assert ":red[" not in markdown("\u27e6:red[x]\u27e7")
    assert markdown("| \u27e6calm\u27e7 |\n|---|\n| b |").startswith("| :gray[calm] |")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-1.5 %, (-9.45 bps to 14.68 bps)", "\u22121.5\u202f%, (\u22129.45 bps to 14.68 bps)"),
        ("[-2, -.5]", "[\u22122, \u2212.5]"),
        ("-1,814.68 USDT", "\u22121,814.68 USDT"),
        (
            "2025-03-04 to 2025-11-26, prop-1, 15m-3, --from 2024, -1h",
            "2025-03-04 to 2025-11-26, prop-1, 15m-3, --from 2024, -1h",
        ),
    ],
)
def test_a_number_has_a_real_minus_and_keeps_its_percent(text: str, shown: str) -> None:
    """A minus as wide as a plus before a number that stands alone; ids, dates, options and code are as they were."""
    assert typeset(text) == shown
    assert markdown(f"`{text}`") == f"`{text}`"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("order x of okx:BTC-USDT:perp is not ours", "order x of BTC-USDT perp (okx) is not ours"),
        (
            "nightdesk reconcile, of okx:BTC-USDT:perp, then: nightdesk adopt 'okx:BTC-USDT:perp order x' --keep",
            "nightdesk reconcile, of BTC-USDT perp (okx), then: nightdesk adopt 'okx:BTC-USDT:perp order x' --keep",
        ),
        (
            "nightdesk adopt okx:BTC-USDT:perp --keep; okx:BTC-USDT:perp",
            "nightdesk adopt okx:BTC-USDT:perp --keep; BTC-USDT perp (okx)",
        ),
        ("adopt 'okx:BTC-USDT:perp order x'", "adopt 'okx:BTC-USDT:perp order x'"),
    ],
)
def test_a_command_keeps_the_instrument_that_is_to_be_typed(text: str, shown: str) -> None:
    """A page's next step is copied into a terminal, where another spelling is of nothing."""
    assert typeset(text) == shown


def test_ids_in_plain_sight_lead_where_they_belong() -> None:
    """Runs, round trips, events and proposals are linked without being asked."""
    shown = markdown("run r-20261120-cbdb9300/t12, event d-14500, prop-3, and 15m-x")
    assert "(?tab=runs&run=r-20261120-cbdb9300&trip=t12)" in shown
    assert "(?tab=desk&view=journal&event=d-14500)" in shown
    assert "(?tab=proposals&proposal=prop-3)" in shown
    assert shown.count("](") == 3


def test_a_notice_set_apart_stays_set_apart() -> None:
    """A line that is quoted is quoted; its sign means nothing in the middle of a line."""
    assert markdown("> The model did not answer\n\na > b") == "> The model did not answer\n\na \\> b"


def test_a_wide_short_table_stands_on_its_side() -> None:
    """Ten columns and two rows are read downwards."""
    shown = markdown("|" + "|".join("abcdefgh") + "|\n|" + "---|" * 8 + "\n|" + "|".join("12345678") + "|")
    assert shown.splitlines()[0] == "| a | 1 |"


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/p.png)",
        "[x](http://evil.example)",
        "[x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "[x][1]\n\n[1]: http://evil.example",
        "http://evil.example www.evil.example a@evil.example",
        "\\![x](http://evil.example)",
        "[run](run:../../x) [a](run:r-1&tab=x)",
        "$\\href{http://evil.example}{x}$ :red[x] :material/home:",
        "![a](run:r-1)",
        "[ok](run:r-1)![x](http://evil.example)",
    ],
)
def test_nothing_leads_out(text: str) -> None:
    """Images, HTML, formulas, directives, addresses and foreign links come out as the signs they were written with."""
    check_own(markdown(text))
    check_own(words(text))


@given(ALPHABET)
def test_nothing_leads_out_whatever_is_written(text: str) -> None:
    """Any text at all: every link that comes out is one of our own, and no image or tag does."""
    check_own(markdown(text))
    check_own(words(text))


READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# what the browser's reader looks for in text itself: addresses, mail, directives and icons
LIVE = re.compile(r"(?i)https?://|www\.|[\w.+-]@[\w-]+\.|:[a-z_]+\[|:material/|:[a-z_+-]+:")


def check_own(shown: str) -> None:
    """A markdown reader finds only links to this page, no image, no tag, no live address outside of code."""
    for token in [part for block in READER.parse(shown) for part in (block, *(block.children or []))]:
        assert token.type not in ("image", "html_inline", "html_block"), shown
        if token.type == "link_open":
            assert str(token.attrs["href"]).startswith("?tab="), shown
        if token.type == "text":
            assert not LIVE.search(token.content), shown
    assert "$" not in re.sub(r"`[^`\n]*`", "", re.sub(r"\\[^\w\s]", "", shown)), shown


def test_plain_text_is_one_clean_line() -> None:
    """No control or direction-changing signs, no line ends, not longer than wanted."""
    assert one_line("a\x00b\u202ec\nd") == "abc d"
    assert len(one_line("x" * 1000, 50)) == 50
    assert one_line(None) == ""


def test_no_page_renders_html() -> None:
    """The switch that would let HTML through is nowhere; one module writes HTML, and escapes what it did not write itself
    (test_page_runs.py)."""
    for path in [ROOT / "streamlit_app.py", *(ROOT / "app" / "ui").glob("*.py")]:
        text = path.read_text()
        assert "unsafe_allow" not in text, path
        assert path.name == "parts.py" or "st.html(" not in text, path
        assert "components" not in re.findall(r"import .*", text), path


def test_an_instrument_reads_as_people_name_it() -> None:
    """Wherever it stands in a sentence; an address, a time or an id stays what it is."""
    assert typeset("long 0.1 in okx:BTC-USDT:perp (btc)") == "long 0.1 in BTC-USDT perp (okx) (btc)"
    assert typeset("okx:BTC-USDT:perp: no bars") == "BTC-USDT perp (okx): no bars"
    for same in ("at 12:30:15", "http://h:80/perp", 'instruments."okx:BTC-USDT:swap"', "x:okx:BTC-USDT:perp:1"):
        assert typeset(same) == same


def test_a_time_of_the_desks_year_has_no_year(monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere on the page; another year is named, and a day alone, a command's or an id's is left as it is."""
    monkeypatch.setattr(clocks, "desk_ms", lambda: 1_740_000_000_000)  # February 2025
    text = "until 2025-02-20 14:15Z, expires 2026-11-30 16:09:13Z"
    assert typeset(text) == "until 20 Feb 14:15Z, expires 30 Nov 2026 16:09:13Z"
    assert markdown(f"`{text}`") == f"`{text}`"
    for same in ("--from 2025-02-20", "r-20250220-1a2b3c4d", "2025-13-20 14:15Z"):
        assert typeset(same) == same


def test_a_percent_sign_stays_at_its_number_however_it_was_written() -> None:
    """Texts of the API have it with and without a space."""
    assert typeset("1.83% of 15 %, 95%") == "1.83\u202f% of 15\u202f%, 95\u202f%"
    assert typeset("/a%20b") == "/a%20b"
