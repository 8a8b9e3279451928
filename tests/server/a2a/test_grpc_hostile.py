"""What is no request of A2A, sent over gRPC: an error each time, nothing of the inside in it, and the service goes on."""

import grpc
import pytest
from a2a.types import a2a_pb2

from tests.server.a2a.service import HEADERS, Grpc, told

pytestmark = pytest.mark.slow
SERVICE = "/lf.a2a.v1.A2AService"
METADATA = [(name, value) for name, value in HEADERS.items() if name != "content-type"]


@pytest.fixture
def channel(kit):
    with grpc.insecure_channel(kit.grpc_address()) as made:
        yield made


def call(channel, method, body, metadata=METADATA):
    """The status and the words with which these bytes are refused."""
    ask = channel.unary_unary(f"{SERVICE}/{method}", request_serializer=None, response_deserializer=None)
    with pytest.raises(grpc.RpcError) as caught:
        ask(body, metadata=metadata, timeout=30)
    told = f"{caught.value.details()}"
    assert "Traceback" not in told
    assert "/src/weft" not in told
    return caught.value.code().name


def field(number, kind, body):
    return bytes([number << 3 | kind]) + body


def long(body):
    size, head = len(body), b""
    while size > 127:
        head, size = head + bytes([size & 127 | 128]), size >> 7
    return head + bytes([size]) + body


def deep(levels):
    """A message with a part whose data is lists in lists."""
    value = field(4, 0, b"\x01")  # a boolean
    for _ in range(levels):
        value = field(6, 2, long(field(1, 2, long(value))))
    part = field(4, 2, long(value))
    message = field(1, 2, long(b"deep")) + field(4, 0, b"\x01") + field(5, 2, long(part))
    return field(1, 2, long(message))


def test_bytes_that_are_no_message_are_refused(channel):
    for body in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x00", field(1, 2, long(b"\xff\xfe")), deep(5_000)):
        assert call(channel, "SendMessage", body) == "INVALID_ARGUMENT", body[:20]
    assert call(channel, "GetTask", b"\xff" * 10) == "INVALID_ARGUMENT"
    assert call(channel, "SendMessage", b"") == "INVALID_ARGUMENT"
    assert call(channel, "GetTask", b"") == "INVALID_ARGUMENT"
    stream = channel.unary_stream(
        f"{SERVICE}/SendStreamingMessage", request_serializer=None, response_deserializer=None
    )
    with pytest.raises(grpc.RpcError) as caught:
        list(stream(b"\xff", metadata=METADATA, timeout=30))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_too_large_or_unknown_is_refused(channel):
    huge = a2a_pb2.SendMessageRequest()
    huge.message.message_id = "x"
    huge.message.parts.add().text = "a" * 40_000_000
    assert call(channel, "SendMessage", huge.SerializeToString()) == "RESOURCE_EXHAUSTED"
    assert call(channel, "Nothing", b"") == "UNIMPLEMENTED"
    many = [*METADATA, ("x-long", "a" * 30_000)]
    assert call(channel, "GetTask", b"", many) in {"RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "INTERNAL"}


def test_after_all_that_tasks_go_on(kit, channel):
    client = Grpc(kit)
    assert (
        client.send(told("go", "tck-complete-task-after-all-that"))["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    )
    client.channel.close()
