"""What the fixed answers say that the program has not: each of these was said after it had."""

import pytest

from agents.offline.ways import ways
from app.people.authority import COMMANDS

DENIALS = (
    "no rota",
    "other messengers are not",
    "no other export",
    "on-chain data in this version",
    "trades on paper, so it has none",
)


@pytest.mark.parametrize("words", DENIALS)
def test_nothing_is_denied_that_is_there(words: str) -> None:
    """Rota, Telegram and webhooks, exports, outside series and accounts came; the answers went on to deny them."""
    assert [way.key for way in ways().values() if words in way.text.lower()] == []


@pytest.mark.parametrize("key", [key for key, way in ways().items() if "`nightdesk " in way.text])
def test_a_command_of_an_answer_is_there(key: str) -> None:
    """Its words, as the table of commands has them: a person types what is printed."""
    named = [part.split("`", 1)[0] for part in ways()[key].text.split("`nightdesk ")[1:]]
    for words in named:
        first, *rest = words.split()
        assert first in COMMANDS or " ".join([first, *rest[:1]]) in COMMANDS, words
