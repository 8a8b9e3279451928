"""An exceeded limit over gRPC says so in gRPC's own words, and when to ask again."""

import json

import grpc
import pytest
from a2a.types import a2a_pb2
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2, status_pb2

from tests.processes import command
from tests.server.a2a.service import Grpc, told

pytestmark = pytest.mark.slow
ECHO = """
version: 1
name: echo
runtime: {provider: offline, model_id: extract}
inputs: {required: {message: string}}
agents: {reader: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ message }}"}]}}
"""


def limit(call):
    """What a refused call says: how long to wait, and the details in A2A's form."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, caught.value
    found = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    status, info, wait = (
        status_pb2.Status.FromString(found),
        error_details_pb2.ErrorInfo(),
        error_details_pb2.RetryInfo(),
    )
    assert status.details[0].Unpack(info) and status.details[1].Unpack(wait)
    assert info.reason == "RATE_LIMITED" and info.metadata["retry_after_s"] == str(wait.retry_delay.seconds)
    return wait.retry_delay.seconds


def client_of(service, user):
    def weft(*args):
        return json.loads(command(*args, "--json", env=service.environ).out)

    weft("users", "add", user, "--role", "developer")
    return Grpc(
        service, authorization=f"Bearer {weft('keys', 'add', user, '--role', 'developer', '--name', 'k')['key']}"
    )


def test_runs_and_requests(serve):
    service = serve(
        {"echo": ECHO}, WEFT_SERVER__GRPC_PORT="0", WEFT_RATES__USER_MINUTE="1", WEFT_RATES__REQUESTS_MINUTE="6"
    )
    ann = client_of(service, "ann")

    def ask(number):
        return ParseDict({"message": told("hello", f"m{number}")}, a2a_pb2.SendMessageRequest())

    def send(number):
        return ann.stub.SendMessage(ask(number), metadata=ann.metadata, timeout=60)

    assert send(1).task.id
    assert 1 <= limit(lambda: send(2)) <= 60
    assert 1 <= limit(lambda: list(ann.stub.SendStreamingMessage(ask(3), metadata=ann.metadata, timeout=60))) <= 60
    listed = a2a_pb2.ListTasksRequest()

    def look():
        return [ann.stub.ListTasks(listed, metadata=ann.metadata, timeout=60) for _ in range(6)]

    assert 1 <= limit(look) <= 60
    bob = client_of(service, "bob")  # another caller has limits of their own
    assert bob.stub.ListTasks(listed, metadata=bob.metadata, timeout=60) is not None
    for one in (ann, bob):
        one.channel.close()
