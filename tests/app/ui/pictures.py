"""The pictures of the docs, of the real page on a demonstration desk: `make pictures`. Each says itself that it is synthetic.

Writes docs/pictures/*.png, together less than MOST bytes; fails where a picture does not show that its bars are
made up.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.app.ui.browsers import CHROMIUM, WAIT_MS
from tests.app.ui.demonstration import ShownDesk, demonstration

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "pictures"
MOST = 1_500_000
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
IDLE_MS = 4_000  # until charts are drawn and the page is still


class Picture(NamedTuple):
    """A picture: its view (ShownDesk.views), its size in pixels, light or dark, what must be seen before it is taken."""

    name: str
    view: str
    waits_for: str
    size: tuple[int, int] = (1280, 900)
    theme: str = "dark"


PICTURES = (
    Picture("desk", "desk", "Needs you"),
    Picture("sleeve", "btc-trend", "Round trips"),
    Picture("run", "run", "Return, drawdown below", theme="light"),
    Picture("chat", "thread 3", "cannot be told apart", theme="light"),
    Picture("phone", "desk", "Needs you", (390, 844)),
)


def take(browser: Any, desk: ShownDesk, picture: Picture, address: str, state: Any) -> Path:
    """One picture, as small as it gets without losing a colour. Raises where the page does not say SYNTHETIC."""
    width, height = picture.size
    phone = {"user_agent": PHONE, "is_mobile": True, "has_touch": True, "device_scale_factor": 2} if width < 640 else {}
    size = {"width": width, "height": height}
    context = browser.new_context(storage_state=state, viewport=size, color_scheme=picture.theme, **phone)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{desk.page}{address}")
    page.get_by_text(picture.waits_for).first.wait_for()
    page.locator(".st-key-head").get_by_text("SYNTHETIC").first.wait_for()
    page.wait_for_timeout(IDLE_MS)
    path = FOLDER / f"{picture.name}.png"
    page.screenshot(path=path)
    context.close()
    with Image.open(path) as taken:  # of a palette only what is rare would be lost: the amber and the red that mean something
        taken.convert("RGB").save(path, optimize=True)
    return path


def main() -> int:
    """All of them; the exit code."""
    if CHROMIUM is None:
        print("no Chromium on this machine: apt-get install chromium", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="nightdesk-pictures-") as folder,
        demonstration(Path(folder)) as desk,
        sync_playwright() as p,
    ):
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        context = browser.new_context()
        page = context.new_page()
        page.goto(desk.command("login", "--as", "vera")["url"])
        page.locator(".st-key-head").wait_for(timeout=WAIT_MS)
        views, state = desk.views(), context.storage_state()
        paths = [take(browser, desk, picture, views[picture.view], state) for picture in PICTURES]
        browser.close()
    total = sum(path.stat().st_size for path in paths)
    for path in paths:
        print(f"{path.stat().st_size:>9,} {path.relative_to(FOLDER.parents[1])}")
    print(f"{total:>9,} in all, at most {MOST:,}")
    return 0 if total <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
