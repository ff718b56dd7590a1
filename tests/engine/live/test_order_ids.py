"""Order ids: what venues take, the same after every restart, and never one for two sleeves."""

import re

import pytest

from app.home.home import Home
from engine.book.order_events import name_code, order_id
from engine.control.config import active, first_of
from engine.core.state import SLOTS
from engine.errors import BadInput
from engine.live import config_event


def test_an_id_is_letters_and_digits_and_names_sleeve_order_kind_and_attempt() -> None:
    """At most 32 for every kind of order; another sleeve, order, kind or attempt is another id."""
    ids = [
        order_id("btc-trend", key, slot, attempt) for key in (1, 99_999_999) for slot in range(len(SLOTS)) for attempt in (0, 9)
    ]
    ids += [order_id("eth-trend", 1)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,32}", found) for found in ids)
    assert order_id("btc-trend", 1) == order_id("btc-trend", 1)


def test_two_sleeves_that_would_share_ids_are_refused(home: Home) -> None:
    """Both are named, and what to do is said."""
    config = active(home.engine, home.path).config
    first, second, third = config.sleeves
    twin = "s1284521"  # the first of s0, s1, ... with the code of btc-trend
    assert name_code(twin) == name_code(first.name)
    clash = config.model_copy(update={"sleeves": [first, second.model_copy(update={"name": twin}), third]})
    with pytest.raises(BadInput, match=f"sleeves {first.name} and {twin} would share their ids - rename {twin}"):
        config_event.body_of(first_of(clash), home.desk.limits, home.desk.overrides(), home.strategies)
