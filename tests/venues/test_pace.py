"""A path of a venue is asked eight times a second at most, by whatever object of one client, and each call has its turn."""

import asyncio
from typing import Any

from engine.venues.pace import turn
from tests.fakes.exchange.virtual import run_virtual


class Client:
    """Of an account."""


def times(paths: list[tuple[Client, str]]) -> list[float]:
    """When each of these calls had its turn, in seconds."""
    found: list[float] = []

    async def main(loop: Any) -> None:
        began = loop.time()

        async def one(client: Client, path: str) -> None:
            await turn(client, path)
            found.append(round(loop.time() - began, 3))

        await asyncio.gather(*(one(client, path) for client, path in paths))

    run_virtual(main, 1_700_000_000_000, 1)
    return found


def test_a_burst_is_spread() -> None:
    """Twenty at once: eight now, eight a second later, four after that."""
    client = Client()
    assert times([(client, "list")] * 20) == [0.0] * 8 + [1.0] * 8 + [2.0] * 4


def test_paths_and_clients_do_not_wait_for_each_other() -> None:
    """A venue counts each path of each account by itself."""
    one, other = Client(), Client()
    assert times([(client, path) for client in (one, other) for path in ("a", "b") for _ in range(8)]) == [0.0] * 32
