"""The candle chart in a real browser, without a server: what it draws, joins, picks, and never draws."""

import json
import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from app.ui import candles as component
from app.ui.figures import short
from app.ui.tokens import TOKENS, variables
from app.views import candle_bars, candles
from engine.clock import DAY_MS
from engine.core.state import HOUR_MS
from engine.data.catalog import Catalog
from engine.sim.levels import LevelStep
from tests.fakes import recordings
from tests.fakes.recordings import BAR_MS, FIRST_MS

long = pytest.mark.long  # a browser of its own
COUNT = 96 * 60
CLOCK = FIRST_MS + 50 * DAY_MS
FIRST_TRIP = CLOCK - 4 * DAY_MS
EVIL = "<img src=x onerror=window.pwned=1>"
SCRIPT = "\n".join((component.HERE / name).read_text() for name in ("unpack.js", "words.js", "draw.js", "mount.js"))
PAGE = """<!doctype html><style>body {{ margin: 0; color-scheme: dark; }}</style><input id="other"><div id="host"></div>
<script type="module">
const module = URL.createObjectURL(new Blob([{script}], {{type: 'text/javascript'}}));
const start = (await import(module)).default;
const root = document.getElementById('host').attachShadow({{mode: 'open'}});
root.innerHTML = '<style>' + {css} + '</style>' + {shape};
window.picked = [];
window.give = ({{chart, ...about}}) => {{
  const data = new TextEncoder().encode([{{...about, others: []}}, chart].map((line) => JSON.stringify(line)).join('\\n'));
  start({{data, parentElement: root, setTriggerValue: (name, id) => window.picked.push(id)}});
}};
const parts = await (await fetch(module)).text();
const open = new Blob([parts + ';export {{barsOf, joined}};'], {{type: 'text/javascript'}});
window.tools = await import(URL.createObjectURL(open));
window.ready = true;
</script>"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: Any) -> dict[str, Any]:
    """A chart of fifty days up to a clock, from bars that go on after it, with three trips and levels."""
    folder = tmp_path_factory.mktemp("bars")
    bars = recordings.bars(COUNT)
    recordings.write(folder, "binance_BTC-USDT_perp_15m", bars)
    catalog = Catalog([(folder, "recorded")])
    entries = [FIRST_TRIP, FIRST_TRIP + DAY_MS, FIRST_TRIP + 3 * DAY_MS]
    price = [float(bars.filter(pl.col("ts") == ms)["open"][0]) for ms in entries]
    trips = pl.DataFrame({
        "trip": ["t1", "t2", "t3"], "side": ["long", "short", "long"], "entry_ms": entries,
        "exit_ms": [entries[0] + 8 * HOUR_MS, entries[1] + 8 * HOUR_MS, None], "entry_price": price,
        "exit_price": [price[0] * 1.02, price[1] * 1.02, None], "reason": ["target", "stop", "open"],
        "net": [12.0, -9.0, 1.0], "r": [1.2, -0.9, None],
    })  # fmt: skip
    steps = [LevelStep(3, "protective", entries[2], price[2] * 0.99)]
    tripped = [candles.Tripped(FIRST_TRIP, "loss streak", CLOCK + 5 * DAY_MS)]
    drawn = candles.Drawn(trips, steps, (), tripped, ("sma(40)",), None, [EVIL])
    place = candles.Place("binance", "BTC-USDT", "perp", "15m")
    found = candles.chart(catalog, catalog.find("binance", "BTC-USDT", "15m"), place, (FIRST_MS, CLOCK), drawn, 0.1)
    return {**found, "mark": "m1"}


@pytest.fixture(scope="module")
def page(chromium: Any, data: dict[str, Any]) -> Iterator[Any]:
    """The component with that chart in it."""
    made = opened(chromium, data)
    yield made
    made.close()


def opened(chromium: Any, data: dict[str, Any]) -> Any:
    """A page with a chart."""
    made = chromium.new_page(viewport={"width": 1000, "height": 620})
    css = f":host {{ {variables()} }} {(component.HERE / 'chart.css').read_text()}"
    made.set_content(PAGE.format(**{k: json.dumps(v) for k, v in (("script", SCRIPT), ("css", css), ("shape", component.SHAPE))}))
    made.wait_for_function("window.ready")
    made.evaluate("(data) => window.give(data)", {"title": "BTC-USDT", "name": "c", "mark": "m1", "height": 400, "chart": data})
    made.locator("canvas[data-state]").wait_for()
    return made


def state(page: Any) -> dict[str, Any]:
    """What the chart says it shows, after the frame that is due."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return dict(json.loads(page.locator("canvas").get_attribute("data-state")))


@long
@pytest.mark.parametrize("step", [BAR_MS, HOUR_MS, DAY_MS])
def test_the_browser_joins_as_the_server_does(page: Any, data: dict[str, Any], step: int) -> None:
    """Unpacked and joined in the browser: the candles that Python makes of the same bars, to half a tick."""
    call = """async ([packed, step]) => {
      const made = tools.joined(await tools.barsOf(packed), step);
      return ['ms', 'open', 'high', 'low', 'close', 'volume'].map((name) => Array.from(made[name]));
    }"""
    found = page.evaluate(call, [data["bars"], step])
    wanted = candle_bars.joined(recordings.bars(COUNT).filter(pl.col("ts") < CLOCK), step)
    for values, name in zip(found, wanted.columns, strict=True):
        assert values == pytest.approx(wanted[name].to_list(), rel=1e-6 if name == "volume" else 1e-9, abs=0.0501), name


@long
def test_no_view_shows_anything_after_the_clock(page: Any) -> None:
    """At every range, and wherever the view is moved, the last candle ends at the clock; the room beyond stays empty."""
    for n in range(page.locator(".ranges button").count()):
        page.locator(".ranges button").nth(n).click()
        assert state(page)["last_ms"] == CLOCK
    page.locator(".ranges button", has_text="1W").click()
    page.locator("canvas").focus()
    for key in ("ArrowRight",) * 12 + ("-",) * 6 + ("+",) * 2:
        page.keyboard.press(key)
        found = state(page)
        assert found["last_ms"] is None or found["last_ms"] <= CLOCK
    assert found["to"] > CLOCK
    beyond = """() => {
      const c = document.getElementById('host').shadowRoot.querySelector('canvas'), s = JSON.parse(c.dataset.state);
      const ratio = c.width / c.clientWidth, right = c.clientWidth - 68, top = Math.floor(c.height * 0.72);
      const from = ((%d - s.from) / (s.to - s.from)) * right + 3, wide = Math.floor((right - from) * ratio);
      const seen = c.getContext('2d').getImageData(Math.ceil(from * ratio), top, wide, Math.floor(c.height * 0.2)).data;
      return [wide, seen.filter((value, i) => i %% 4 === 3 && value > 0).length];
    }"""
    wide, inked = page.evaluate(beyond % CLOCK)
    assert wide > 20
    assert inked == 0


@long
def test_the_head_says_when_the_last_candle_ends(page: Any) -> None:
    """Moved by hand, the view ends at any minute; a candle does not."""
    page.locator(".ranges button", has_text="1W").click()
    page.locator("canvas").focus()
    for key in ("+",) * 3 + ("ArrowLeft",) * 12:
        page.keyboard.press(key)
    last = state(page)["last_ms"]
    assert last < CLOCK
    assert page.locator(".about").inner_text().endswith(f" to {short(last, CLOCK)}")


@long
def test_the_legend_has_every_way_out_of_the_trips(chromium: Any, data: dict[str, Any]) -> None:
    """Also what a strategy asks for, with the sign that it is drawn with; a trip that is open has none."""
    reasons = {"reason": ["time", "stop", "open"]}
    page = opened(chromium, {**data, "trips": {**data["trips"], **reasons}})
    assert page.locator(".legend").inner_text().splitlines()[1] == "exit: ✕ stop • time"
    page.close()


@long
def test_a_trip_is_picked_by_key_and_by_click(page: Any) -> None:
    """`k` and `j` go to the trip before and after and stop at the ends; typing elsewhere does not; a click takes the nearest."""
    page.locator(".ranges button", has_text="1W").click()
    page.evaluate("() => { window.picked.length = 0; }")
    for key in ("k", "k", "k", "k", "j"):
        page.keyboard.press(key)
    assert state(page)["chosen"] == "t2"
    page.locator("#other").press_sequentially("kkjj")
    assert state(page)["chosen"] == "t2"
    page.wait_for_function("window.picked.length > 0")
    assert page.evaluate("window.picked") == ["t2"]  # of a burst of keys the last one is sent
    box = page.locator("canvas").bounding_box()
    found = state(page)
    at = (FIRST_TRIP + BAR_MS / 2 - found["from"]) / (found["to"] - found["from"]) * (box["width"] - 68)
    for part in range(4, 70, 2):  # its height depends on the scale: down the column until it is hit
        page.mouse.click(box["x"] + at, box["y"] + box["height"] * part / 100)
        if state(page)["chosen"] == "t1":
            break
    assert state(page)["chosen"] == "t1"
    page.locator(".ranges button", has_text="1D").click()
    view = state(page)["from"]
    event = "([id, wanted]) => document.dispatchEvent(new CustomEvent('nightdesk-candles-chosen', {detail: %s}))"
    choose = event % "{name: 'c', chosen: id, wanted}"
    page.evaluate(choose, ["t2", False])  # the page's own choice marks it, and does not move what is looked at
    assert (state(page)["chosen"], state(page)["from"]) == ("t2", view)
    page.evaluate(choose, ["t1", True])
    assert state(page)["chosen"] == "t1"
    assert state(page)["from"] < FIRST_TRIP < state(page)["to"]


@long
def test_the_wheel_zooms_and_a_drag_pans(page: Any) -> None:
    """The instant under the pointer stays under it; a drag moves the view by as much; double click goes back. A chart that was
    not clicked lets the page scroll."""
    page.locator(".ranges button", has_text="1M").click()
    before, box = state(page), page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 100)
    page.locator("#other").focus()
    page.mouse.wheel(0, -240)
    assert state(page) == before
    page.locator("canvas").focus()
    page.mouse.wheel(0, -240)
    shown = "document.getElementById('host').shadowRoot.querySelector('canvas').dataset.state"
    page.wait_for_function(f"(from) => !{shown}.includes(from)", arg=f'"from":{before["from"]}')
    zoomed = state(page)
    assert zoomed["to"] - zoomed["from"] < 0.9 * (before["to"] - before["from"])
    part = (box["width"] / 3) / (box["width"] - 68)
    under = [view["from"] + part * (view["to"] - view["from"]) for view in (before, zoomed)]
    assert under[0] == pytest.approx(under[1], abs=BAR_MS)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3 + 90, box["y"] + 100, steps=3)
    page.mouse.up()
    panned = state(page)
    assert panned["from"] < zoomed["from"]
    assert panned["to"] - panned["from"] == pytest.approx(zoomed["to"] - zoomed["from"])
    page.locator("canvas").dblclick(position={"x": 5, "y": 5})
    assert page.locator(".ranges button[aria-pressed=true]").inner_text() == "1W"


@long
def test_words_from_outside_stay_words(page: Any) -> None:
    """A note with markup is shown as it is written."""
    assert EVIL in page.locator(".notes").inner_text()
    assert page.evaluate("window.pwned") is None


def test_every_colour_of_the_chart_is_a_token_of_the_page() -> None:
    """What the script and its sheet ask for by name, the page defines."""
    sheet = (component.HERE / "chart.css").read_text()
    asked = set(re.findall(r"var\(--([a-z0-9]+)\)", sheet)) | set(re.findall(r"colours\.([a-z0-9]+)", SCRIPT))
    listed = re.search(r"const TOKENS = \[(.+?)\]", SCRIPT)
    assert listed
    assert len(asked) > 8
    assert asked | set(re.findall(r"'(\w+)'", listed[1])) <= set(TOKENS)
    assert not re.search(r"#[0-9a-f]{3,8}\b", sheet + SCRIPT)
