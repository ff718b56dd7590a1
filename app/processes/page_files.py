"""Streamlit's own files from memory, and a hint at those that every view of ours needs. Called by app.processes.page.

A cold page fetches some 75 files, each of which Streamlit takes through its middleware and from the disk: 70 ms of CPU while the
browser waits. Here a file is read once. Its name carries a hash of what is in it, so it never changes. What a component needs is
imported only when the first one comes: the page's answer names it (a Link header), and the browser loads it beside the rest.
"""

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.processes.connections import BoundedConnection

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
KINDS = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8", ".woff2": b"font/woff2"}
FOREVER = b"public, immutable, max-age=31536000"
CONDITIONS = {b"range", b"if-range", b"if-none-match", b"if-modified-since"}  # left to Streamlit
NEEDED = ("BidiComponent", "ButtonGroup", "Html", "Button")  # by each view of ours, and not named in index.html
IMPORTED = re.compile(r'(?:from|import)"\./([\w.-]+\.js)"')


class PageFiles:
    """An ASGI application around Streamlit's."""

    def __init__(self, app: Any, folder: Path) -> None:
        self.app, self.folder = app, folder
        self.names = frozenset(names(folder))  # nothing else is opened, whatever is asked for
        self.hint = hint(folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET of a file; Streamlit answers the rest."""
        asked = scope["type"] == "http" and scope["method"] == "GET"
        if asked and scope["path"] in self.names and not CONDITIONS & {name for name, _ in scope["headers"]}:
            content, kind = content_of(self.folder / scope["path"][1:])
            head = [(b"content-type", kind), (b"content-length", str(len(content)).encode()), (b"cache-control", FOREVER)]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": content})
            return
        await self.app(scope, receive, self._hinted(send) if asked and self.hint and scope["path"] == "/" else send)

    def _hinted(self, send: Send) -> Send:
        """`send` that adds the hint to the head of a response."""

        async def sent(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message = {**message, "headers": [*message["headers"], (b"link", self.hint)]}
            await send(message)

        return sent


class PageConnection(BoundedConnection):
    """A connection of the page: bounded, and with Streamlit's files from memory."""

    def __init__(self, config: Any, *rest: Any, **more: Any) -> None:
        if not isinstance(config.loaded_app, PageFiles):
            config.loaded_app = PageFiles(config.loaded_app, static_folder())
        super().__init__(config, *rest, **more)


def static_folder() -> Path:
    """Streamlit's folder of index.html."""
    import streamlit

    return Path(streamlit.__file__).with_name("static")


def names(folder: Path) -> list[str]:
    """The paths of all files below static/ of which the kind is known, as a browser asks for them."""
    found = (Path(at) / name for at, _, files in os.walk(folder / "static") for name in files)
    return [f"/{path.relative_to(folder).as_posix()}" for path in found if path.suffix in KINDS]


def hint(folder: Path) -> bytes:
    """The value of the Link header: the scripts of NEEDED and what they import, without those that index.html names."""
    scripts = folder / "static" / "js"
    there = set(re.findall(r"static/js/([\w.-]+\.js)", (folder / "index.html").read_text(encoding="utf-8")))
    found = [path.name for name in NEEDED for path in scripts.glob(f"{name}.*.js")]
    for name in found:
        imports = IMPORTED.findall((scripts / name).read_text(encoding="utf-8"))
        found += [one for one in dict.fromkeys(imports) if one not in there and one not in found]
    return ", ".join(f"<./static/js/{name}>; rel=modulepreload; crossorigin" for name in found).encode()


@cache
def content_of(path: Path) -> tuple[bytes, bytes]:
    """A file's bytes and its content type."""
    return path.read_bytes(), KINDS[path.suffix]
