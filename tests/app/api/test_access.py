"""Who gets in: sessions, Host, Origin, bodies. A page of another origin can look at nothing, halt nothing and approve nothing."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.people.identity import add_person
from app.people.sessions import NoSession, Sessions, cookie_name
from engine.control import halt

NOW = 1_800_000_000_000
CHROMIUM = Path("/usr/bin/chromium")


def error(answer: httpx.Response) -> dict[str, str]:
    """What an error says, always in the one shape."""
    said = answer.json()["error"]
    assert set(said) == {"kind", "what", "hint"}
    assert "Traceback" not in answer.text
    return said


def test_every_route_but_health_and_login_wants_a_session(served: Any) -> None:
    """Each route of the schema, and those outside it, answer 401 without one, and 401 with a made-up one."""
    with served.client() as known:
        paths = known.get("/openapi.json").json()["paths"]
    routes = [(method, path) for path, methods in paths.items() for method in methods]
    routes += [("get", "/openapi.json"), ("get", "/metrics"), ("get", "/nope")]
    open_ = {("get", "/api/health"), ("get", "/api/login")}
    assert len(routes) > 35
    for headers in ({}, {"authorization": "Bearer " + "x" * 43}, {"cookie": f"{cookie_name(served.port)}={'y' * 43}"}):
        with httpx.Client(base_url=served.url, headers=headers) as nobody:
            for method, path in routes:
                answer = nobody.request(method, path.replace("{", "").replace("}", ""), json=None if method == "get" else {})
                if (method, path) not in open_:
                    assert answer.status_code == 401, (method, path)
                    assert error(answer)["kind"] == "NoSession"
            assert nobody.get("/api/health").status_code == 200


def test_a_login_link_works_once(served: Any) -> None:
    """A cookie that no script reads and no other site sends; a second use is refused, also when both come at once."""
    link = f"{served.url}/api/login?code={served.desk.sessions.login_code(int(time.time() * 1000), 'ann')}"
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(httpx.get(link))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [a for a in answers if a.status_code == 303]
    assert len(good) == 1
    assert {a.status_code for a in answers} == {303, 401}
    assert good[0].headers["location"] == f"http://127.0.0.1:{served.port + 1}/"
    cookie = good[0].headers["set-cookie"]
    for word in (cookie_name(served.port), "HttpOnly", "SameSite=strict", "Path=/"):
        assert word in cookie
    with httpx.Client(base_url=served.url, cookies=good[0].cookies) as page:
        assert page.get("/api/session").json()["name"] == "ann"
        assert page.request("DELETE", "/api/session").json() == {"ok": True}
        assert error(page.get("/api/session"))["what"] == "this session has ended"


def test_a_used_link_speaks_to_a_person_in_words(served: Any) -> None:
    """A browser is shown what to do; a program gets the error as JSON."""
    link = f"{served.url}/api/login?code=used"
    page = httpx.get(link, headers={"accept": "text/html,application/xhtml+xml"})
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "used or expired" in page.text
    assert "nightdesk login" in page.text
    assert "set-cookie" not in page.headers
    assert error(httpx.get(link))["kind"] == "NoSession"


def test_sessions_end(own_home: Path) -> None:
    """Neither a session nor a login code outlives its time; a secret is kept nowhere, and nobody else may read the rest."""
    own_home.mkdir()
    sessions = Sessions(own_home)
    secret, session = sessions.open("ann", "all", NOW, 1000)
    assert sessions.find(secret, NOW + 999) == session
    assert sessions.find(secret, NOW + 1000) is None
    code = sessions.login_code(NOW)
    kept = b"".join(path.read_bytes() + path.name.encode() for path in sessions.folder.iterdir())
    assert secret.encode() not in kept
    assert code.encode() not in kept
    assert sessions.folder.stat().st_mode & 0o077 == 0
    assert not [path for path in sessions.folder.iterdir() if path.stat().st_mode & 0o077]
    with pytest.raises(NoSession):
        sessions.redeem(code, NOW + 13 * 3_600_000)
    with pytest.raises(NoSession):
        sessions.redeem("../../etc/passwd", NOW)


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "http://127.0.0.1.evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"host": "evil.example"}, 400),
        ({"host": "evil.example:80"}, 400),
        ({"host": ""}, 400),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_another_origin_cannot_halt_even_with_the_session(served: Any, headers: dict[str, str], status: int) -> None:
    """A foreign Origin, a foreign Host (a name that resolves to this machine), a body that a plain form can send."""
    with served.client() as client:
        answer = client.post("/api/halt", content='{"reason": "x"}', headers={"content-type": "application/json", **headers})
    assert answer.status_code == status
    error(answer)
    assert not halt.read(served.home.path).halted


def test_our_own_origin_may(served: Any) -> None:
    """What a browser sends from the API's own pages is let in."""
    with served.client(headers={"origin": served.url, "sec-fetch-site": "same-origin"}) as client:
        assert client.post("/api/halt", json={"reason": "x"}).status_code == 200


@pytest.mark.parametrize("length", [70_000, 5_000_000])
def test_a_long_body_is_refused(served: Any, length: int) -> None:
    """With a length that says so, and with one that does not."""
    with served.client() as client:
        assert client.post("/api/halt", json={"reason": "x" * length}).status_code == 413
        parts = (b'{"reason": "', b"x" * length, b'"}')
        chunked = client.post("/api/halt", content=iter(parts), headers={"content-type": "application/json"})
        assert chunked.status_code == 413
    assert not halt.read(served.home.path).halted


@pytest.mark.parametrize("body", ["", "{}", '{"reason": "   "}', f'{{"reason": "{"x" * 50_000}"}}'])
def test_a_halt_needs_no_reason_and_takes_any(served: Any, body: str) -> None:
    """Nothing, a blank or a very long reason: the desk is halted, the reason short."""
    with served.client() as client:
        answer = client.post("/api/halt", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 200
        assert answer.json()["halted"]
        assert 0 < len(answer.json()["reason"]) <= 1_000


@pytest.mark.parametrize("body", ["[]", "nul", '{"reason": 1}', '{"reason": "x", "more": 1}'])
def test_a_body_of_another_shape_is_told_in_a_line(served: Any, body: str) -> None:
    """422 with the field; never a traceback."""
    with served.client() as client:
        answer = client.post("/api/halt", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert len(error(answer)["what"]) < 300


def test_a_read_only_token_reads(served: Any) -> None:
    """It gets the metrics, and neither halts, asks nor decides."""
    with served.client("prometheus", "read") as client:
        assert "nightdesk_halted 0.0" in client.get("/metrics").text
        for path in ("/api/halt", "/api/turns", "/api/proposals/prop-1/approve", "/api/session"):
            assert client.post(path, json={}).status_code == 403


def test_names_are_proven_once_there_are_people(served: Any) -> None:
    """An unproven session may look and halt and not decide; a proven one decides until its token changes."""
    ann, bob = add_person(served.home.path, "ann"), add_person(served.home.path, "bob")
    with served.client("ann") as client:
        assert client.get("/api/session").json()["proof_needed"] is True
        refused = client.post("/api/proposals/rollback", json={"target": "1"})
        assert refused.status_code == 403
        assert client.post("/api/session", json={"name": "ann", "token": bob}).status_code == 403
        said = client.post("/api/session", json={"name": "ann", "token": ann}).json()
        assert (said["name"], said["assurance"], said["proof_needed"]) == ("ann", "session", False)
        assert client.post("/api/proposals/rollback", json={"target": "1"}).status_code == 409  # nothing to go back from
        add_person(served.home.path, "ann")
        assert client.post("/api/proposals/rollback", json={"target": "1"}).status_code == 403


def test_an_emptied_list_of_people_stops_decisions_and_no_halt(served: Any) -> None:
    """The page shows the desk and halts it; who decides is told that the list is lost, and how to get it back."""
    add_person(served.home.path, "ann")
    (served.home.path / "people.toml").write_text("")
    with served.client("ann") as client:
        refused = client.post("/api/proposals/rollback", json={"target": "1"})
        assert refused.status_code == 400
        assert "people were registered (ann)" in refused.json()["error"]["what"]
        assert "restore it from a backup" in refused.json()["error"]["hint"]
        assert client.get("/api/desk").status_code == 200
        assert client.post("/api/halt", json={"reason": "too odd"}).status_code == 200
    assert "too odd" in (served.home.path / "HALT").read_text()


class _Evil(http.server.BaseHTTPRequestHandler):
    """A page of another origin (another port of the same host, to which a browser does send the cookie)."""

    target = ""

    def do_GET(self) -> None:
        page = f"""<form id=f method=post enctype=text/plain action="{self.target}/api/halt">
            <input name='{{"reason":"' value='"}}'></form><script>
            const json = {{"content-type": "application/json"}};
            const post = (path, body, headers, mode) => fetch("{self.target}" + path,
                {{method: "POST", body, headers, mode, credentials: "include"}}).then(a => a.status, e => "blocked");
            (async () => {{ const seen = [];
              seen.push(await post("/api/halt", '{{"reason":"evil"}}', json, "cors"));
              seen.push(await post("/api/halt", '{{"reason":"evil"}}', {{}}, "no-cors"));
              seen.push(await post("/api/proposals/prop-1/approve", '{{"diff_sha256":"{"a" * 64}"}}', json, "cors"));
              seen.push(await post("/api/proposals/prop-1/approve", '{{"diff_sha256":"{"a" * 64}"}}', {{}}, "no-cors"));
              seen.push(await fetch("{self.target}/api/desk", {{credentials: "include"}}).then(a => a.text(), e => "blocked"));
              document.title = JSON.stringify(seen); }})();</script>"""
        body = page.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def evil(served: Any) -> Iterator[str]:
    """That page's address."""
    _Evil.target = served.url
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Evil)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_real_page_of_another_origin_can_neither_halt_nor_approve_nor_read(served: Any, evil: str) -> None:
    """In Chromium, logged in by the link: scripts and a plain form of another origin reach the API and change nothing."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("no browser here: apt-get install chromium")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page()
        code = served.desk.sessions.login_code(int(time.time() * 1000), "ann")
        page.request.get(f"{served.url}/api/login?code={code}", max_redirects=0)  # there is no page behind it in this test
        assert page.context.cookies(served.url), "the login set no cookie"
        page.goto(evil)
        page.wait_for_function("document.title.startsWith('[')")
        seen = page.title()
        assert "blocked" in seen
        assert "200" not in seen
        assert "equity" not in seen
        with page.expect_response(f"{served.url}/api/halt") as answered:
            page.evaluate("document.getElementById('f').submit()")
        assert answered.value.status == 403
        browser.close()
    assert not halt.read(served.home.path, served.home.engine).halted
    with served.client() as client:
        counted = client.get("/metrics").text
    assert 'nightdesk_http_requests_total{method="POST",route="door",status="403"}' in counted  # they did arrive
