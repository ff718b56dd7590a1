"""Streamlit's files from memory: the bytes that Streamlit would send, nothing else from the disk, and what a page loads early."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.processes import page_files
from app.processes.page_files import PageFiles, hint, static_folder


async def theirs(scope: Any, _: Any, send: Any) -> None:
    """An application that says what it was asked."""
    body = f"theirs {scope['path']}".encode()
    head = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200 if scope["path"] == "/" else 404, "headers": head})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def asked() -> Any:
    """A client of Streamlit's own folder."""
    return TestClient(PageFiles(theirs, static_folder()))


def test_every_file_that_the_page_names_comes_as_streamlit_sends_it(asked: Any) -> None:
    """Bytes, type and cache: for as long as browsers keep anything, since a name is of its content."""
    from streamlit.web.server.starlette.starlette_static_routes import create_streamlit_static_handler

    streamlit = TestClient(create_streamlit_static_handler(str(static_folder()), None))
    names = re.findall(r'(?:src|href)="\./(static/[^"]+)"', (static_folder() / "index.html").read_text(encoding="utf-8"))
    assert len(names) > 20
    for name in names:
        ours, wanted = asked.get(f"/{name}"), streamlit.get(f"/{name}")
        assert ours.content == wanted.content, name
        for head in ("content-type", "cache-control"):
            assert ours.headers[head] == wanted.headers[head], name


@pytest.mark.parametrize(
    "path",
    ["/static/js/../../index.html", "/static/../index.html", "/static/js/none.js", "/etc/passwd", "//etc/passwd", "/static/"],
)
def test_what_is_not_one_of_its_files_is_left_to_streamlit(path: str) -> None:
    """A path is looked up among the names of its files, never opened."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    made = PageFiles(theirs, static_folder())
    asyncio.run(made({"type": "http", "method": "GET", "path": path, "headers": []}, None, send))  # type: ignore[arg-type]
    assert sent[-1]["body"] == f"theirs {path}".encode()


def test_parts_of_a_file_and_other_methods_are_left_to_streamlit(asked: Any) -> None:
    """It knows about ranges and dates."""
    name = next(iter(asked.app.names))
    assert asked.get(name, headers={"range": "bytes=0-3"}).text.startswith("theirs")
    assert asked.post(name).text.startswith("theirs")


def test_the_page_names_what_its_components_import(asked: Any) -> None:
    """All of it, once, and nothing that index.html names already; another answer names nothing."""
    link = asked.get("/").headers["link"]
    names = re.findall(r"<\./static/js/([\w.-]+\.js)>; rel=modulepreload; crossorigin", link)
    scripts = static_folder() / "static" / "js"
    for needed in page_files.NEEDED:
        assert any(name.startswith(f"{needed}.") for name in names), f"{needed} is not one of Streamlit's scripts any more"
    index = (static_folder() / "index.html").read_text(encoding="utf-8")
    loaded = {*names, *re.findall(r"static/js/([\w.-]+\.js)", index)}
    assert len(names) == len(set(names))
    assert not [name for name in names if name in index]
    for name in names:
        wanted = re.findall(r'(?:from|import)"\./([\w.-]+\.js)"', (scripts / name).read_text(encoding="utf-8"))
        assert set(wanted) <= loaded, name
    assert "link" not in asked.get("/none").headers


def test_a_folder_without_those_scripts_has_no_hint(tmp_path: Path) -> None:
    """Another version of Streamlit is served as it is."""
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "index.html").write_text("<html></html>")
    assert hint(tmp_path) == b""
    assert "link" not in TestClient(PageFiles(theirs, tmp_path)).get("/").headers
