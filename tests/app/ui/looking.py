"""The page without a browser: drawn at an address, and all the text it gave. Used by the page's tests."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.fakes.waiting import WAIT_S

PAGE = str(Path(__file__).resolve().parents[3] / "streamlit_app.py")


def page(**where: str) -> AppTest:
    """The page at an address, drawn once."""
    made = AppTest.from_file(PAGE, default_timeout=WAIT_S)
    for name, value in where.items():
        made.query_params[name] = value
    made.run()
    assert not made.exception, made.exception
    return made


def texts_of(at: AppTest) -> str:
    """All the text of a page, as it was given to the browser."""
    kinds = ("markdown", "caption", "error", "warning", "info", "success", "subheader", "code", "badge")
    parts = [str(e.value) for kind in kinds for e in at.get(kind) if hasattr(e, "value")]
    drawn = [str(e.proto.body) for e in at.get("html") if not str(e.proto.body).lstrip().startswith("<style>")]
    return "\n".join([*parts, *drawn, *(str(b.label) for b in at.button)])
