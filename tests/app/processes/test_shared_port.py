"""Which of several API processes takes the next connection."""

import mmap
import tempfile

from app.processes.shared_port import GONE_S, OpenConnections


def test_who_has_the_fewest_connections_takes_the_next() -> None:
    """With as many, either does; who does not look any more is waited for by nobody."""
    with tempfile.TemporaryFile() as numbers:
        numbers.truncate(mmap.PAGESIZE)
        one, other = (OpenConnections(numbers.fileno(), row) for row in (1, 2))
        assert one.is_next(3, 100.0), "it is alone"
        assert other.is_next(3, 100.1)
        assert one.is_next(3, 100.2)
        assert not one.is_next(4, 100.3)
        assert other.is_next(3, 100.4)
        assert not one.is_next(9, 100.4 + GONE_S / 2)
        assert one.is_next(9, 100.5 + GONE_S), "the other does not look any more"
