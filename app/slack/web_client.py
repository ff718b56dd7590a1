"""slack_sdk's Web API client with bounds: no redirect is followed, no answer read without an end. Made by app.slack.sink.

A request -> status, headers and text, as the library's own client returns them. The token goes to the address of desk.toml alone:
the library would follow a redirect and take it along.
"""

import io
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from slack_sdk import WebClient

ANSWER_MAX = 1_000_000  # bytes; what the desk asks for is answered in a few hundred
ANSWER_S = 10.0  # for the whole body


class _NoRedirect(HTTPRedirectHandler):
    """Whoever redirects gets no second request: the redirect itself is the answer, an error."""

    def redirect_request(self, *_: Any, **_more: Any) -> None:
        """None: do not follow."""


class BoundedWebClient(WebClient):
    """The client of one desk."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        """Send and read one request. Raises HTTPError from status 300 on, OSError or ValueError for what no Slack answers."""
        if not url.lower().startswith(("http://", "https://")):
            raise ValueError("not an address of the web")
        try:
            with self._opener().open(req, timeout=self.timeout) as answer:
                return {"status": answer.status, "headers": answer.headers, "body": bounded_text(answer)}
        except HTTPError as error:
            with error:
                body = bounded_text(error).encode()
            raise HTTPError(url, error.code, "", error.headers, io.BytesIO(body)) from None

    def _opener(self) -> OpenerDirector:
        proxies = [ProxyHandler({"http": self.proxy, "https": self.proxy})] if self.proxy else []
        return build_opener(_NoRedirect, HTTPSHandler(context=self.ssl), *proxies)


def bounded_text(answer: Any) -> str:
    """The body as text. Raises ValueError when it is too long, TimeoutError when it does not end."""
    end, parts, size = time.monotonic() + ANSWER_S, list[bytes](), 0
    while part := answer.read1(65_536):
        parts.append(part)
        size += len(part)
        if size > ANSWER_MAX:
            raise ValueError("the answer is too long")
        if time.monotonic() > end:
            raise TimeoutError("the answer does not end")
    return b"".join(parts).decode("utf-8", "replace")
