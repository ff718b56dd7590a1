"""What a hostile endpoint sends is left while it comes: bombs, lines without an end, odd shapes; the fault is one sentence."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from agents.formats import intake, transport
from agents.formats.chat import TOKENS_MAX, usage_of
from agents.formats.faults import EndpointFault
from agents.formats.model import EndpointModel
from agents.model import Message, ModelDown
from tests.agents.formats.conftest import Kept
from tests.fakes.model_server import ModelServer, Raw

Making = Callable[..., EndpointModel]
QUESTION = [Message("user", "how are we doing?")]
EVENT = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
MIB = 2**20


def response(parts: Iterator[bytes], encoding: str = "identity") -> httpx2.Response:
    """A response whose body comes in these parts."""

    class Parts(httpx2.SyncByteStream):
        """Them."""

        def __iter__(self) -> Iterator[bytes]:
            return parts

    return httpx2.Response(200, headers={"content-encoding": encoding}, stream=Parts())


def read(parts: Iterator[bytes], encoding: str = "identity", is_left: Callable[[], bool] = lambda: False) -> bytes:
    """The body as the client's library reads it."""
    made = response(parts, encoding)
    intake.bound_body(made, "there", is_left)
    return made.read()


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "X-GZIP", ""])
def test_an_answer_is_read_packed_or_not(encoding: str) -> None:
    """The same bytes, however they were packed and in whatever pieces they come."""
    plain = b'data: {"text": "all is well"}\n\n' * 5_000
    packed = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain) if "gzip" in encoding.lower() else plain
    assert read((packed[n : n + 7] for n in range(0, len(packed), 7)), encoding) == plain


def test_a_bomb_is_left_after_a_bounded_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three gigabytes in a few packed pieces no more is unpacked than an answer may have."""
    monkeypatch.setattr(intake, "ANSWER_BYTES_MAX", 4 * MIB)
    taken = []

    def bomb() -> Iterator[bytes]:
        packing = zlib.compressobj(9, zlib.DEFLATED, 31)
        piece, fill = b"", b"\n" * MIB
        for n in range(3_000):
            piece = packing.compress(fill)
            taken.append(n)
            yield piece

    with pytest.raises(EndpointFault, match="too many bytes"):
        read(bomb(), "gzip")
    assert len(taken) < 2 * intake.ANSWER_BYTES_MAX / MIB


def test_a_line_without_an_end_is_left() -> None:
    """Long before the whole answer would be too long; lines that end may be many."""
    with pytest.raises(EndpointFault, match="too many bytes"):
        read(b"a" * MIB for _ in range(intake.LINE_BYTES_MAX // MIB + 2))
    assert len(read(b"a" * (MIB - 1) + b"\n" for _ in range(12))) == 12 * MIB


def test_bytes_that_come_singly_are_handed_on_a_line_at_a_time() -> None:
    """What reads them copies all it has for each piece."""
    made = response(b"%c" % letter for letter in b"data: 12345\n\ndata: 6\n\n")
    intake.bound_body(made, "there", lambda: False)
    assert list(made.iter_raw()) == [b"data: 12345\n", b"\n", b"data: 6\n", b"\n"]


def test_what_nobody_waits_for_is_left_with_the_next_byte() -> None:
    """A stream of comments would hold its thread and connection for ever."""
    asked = iter([False, False, True])
    with pytest.raises(EndpointFault, match="did not end its answer in time"):
        read((b": still here\n\n" for _ in range(10)), is_left=lambda: next(asked))


@pytest.mark.parametrize(
    ("encoding", "words"), [("br", "packed its answer as 'br'"), ("gzip, gzip", "packed"), ("gzip", "unpacked")]
)
def test_an_encoding_nobody_asked_for_is_one_sentence(encoding: str, words: str) -> None:
    """Also one that is not what it says."""
    with pytest.raises(EndpointFault, match=words):
        read(iter([b"nonsense"]), encoding)


def calls(**function: Any) -> list[Any]:
    """Choices that call a tool."""
    return [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": function}]}, "finish_reason": "tool_calls"}]


@pytest.mark.parametrize(
    "choices",
    [
        5,
        {"a": 1},
        [{"delta": "x"}],
        [{"delta": ["x"]}],
        [{"delta": {"tool_calls": 7}}],
        [{"delta": {"tool_calls": ["x"]}}],
        [{"delta": {"tool_calls": [{"index": [0], "id": "a", "function": {"name": "desk"}}]}}],
        [{"delta": {"tool_calls": [{"index": 0, "function": "x"}]}}],
        calls(name=["desk"], arguments="{}"),
        calls(name="desk", arguments=[1]),
    ],
    ids=str,
)
def test_an_answer_of_another_shape_is_the_endpoints_fault(
    model_at: Making, kept: Kept, choices: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ModelDown in one sentence, so that the offline model answers: never an error of our own."""
    monkeypatch.setattr("agents.formats.exchange.ATTEMPTS_MAX", 1)
    sent = f"data: {json.dumps({**EVENT, 'choices': choices})}\n\ndata: [DONE]\n\n".encode()
    with ModelServer(Raw(sent, "text/event-stream")) as server, pytest.raises(ModelDown, match=r"127\.0\.0\.1"):
        model_at(server).complete(QUESTION, (), kept)


@pytest.mark.parametrize("stream", [True, False])
def test_content_in_parts_is_its_text(model_at: Making, kept: Kept, *, stream: bool) -> None:
    """Mistral's reasoning models: what is thought is not shown, and nobody reads the list itself."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "so it is"}]}
    parts = [
        [thought, {"type": "text", "text": "All "}],
        [{"type": "text", "text": "is "}, "calm."],
        {"type": "text", "text": " Yes."},
    ]
    if stream:
        lines = [{**EVENT, "choices": [{"delta": {"content": part}}]} for part in parts]
        lines.append({**EVENT, "choices": [{"delta": {}, "finish_reason": "stop"}]})
        sent = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
    else:
        whole = [one for part in parts for one in (part if isinstance(part, list) else [part])]
        sent = json.dumps({**EVENT, "choices": [{"message": {"content": whole}, "finish_reason": "stop"}]})
    with ModelServer(Raw(sent.encode(), "text/event-stream" if stream else "application/json")) as server:
        reply = model_at(server, stream=stream).complete(QUESTION, (), kept)
    assert reply.text == "All is calm. Yes."


def test_letters_that_nothing_can_hold_are_replaced(model_at: Making, kept: Kept) -> None:
    """Half a character and a null byte, in text and arguments: what is streamed, stored and sent back can be written."""
    whole = {"content": "a\ud800b\0c", "tool_calls": [{"id": 5, "function": {"name": "desk", "arguments": '{"a": "\\ud800"}'}}]}
    choices = [{"message": whole, "finish_reason": "tool_calls"}]
    with ModelServer(Raw(json.dumps({**EVENT, "object": "chat.completion", "choices": choices}).encode())) as server:
        reply = model_at(server, stream=False).complete(QUESTION, (), kept)
    assert reply.text == "a?b?c" == kept.text
    assert reply.calls[0].id == "5"
    assert reply.calls[0].args == {"a": "?"}
    json.dumps([reply.calls[0].args, reply.raw], ensure_ascii=False, default=str).encode()


@pytest.mark.parametrize("said", [-1, TOKENS_MAX + 1, 10**300, "1", None, 1.5, float("inf"), float("nan")])
def test_a_usage_that_is_no_count_is_none(said: Any) -> None:
    """The estimate is billed in its place."""
    assert usage_of({"prompt_tokens": said, "completion_tokens": 5}) is None
    assert usage_of({"prompt_tokens": 500, "completion_tokens": said}) is None


def test_an_answer_without_an_end_says_so(model_at: Making, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word now and then is no silence: the answer as a whole has a limit, and its sentence names it."""
    monkeypatch.setattr(transport, "ATTEMPT_S_MAX", 0.0)
    with ModelServer(Raw(b"")) as server, pytest.raises(ModelDown, match="did not end its answer within 0 s"):
        model_at(server).complete(QUESTION, (), kept)


def test_the_client_reads_through_these_bounds(model_at: Making, kept: Kept) -> None:
    """Whatever the endpoint: gzip alone is asked for, and what comes otherwise is not unpacked."""
    with ModelServer(Raw(b"{}", headers={"content-encoding": "br"})) as server:
        with pytest.raises(ModelDown, match="which was not asked for"):
            model_at(server).complete(QUESTION, (), kept)
        assert server.posts[0].headers["accept-encoding"] == "gzip"
