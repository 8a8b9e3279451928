"""The official client, on every transport."""

import httpx
import pytest
from a2a.client import ClientConfig, create_client
from a2a.helpers import new_text_message
from a2a.types import a2a_pb2
from a2a.utils.constants import TransportProtocol

pytestmark = pytest.mark.slow


@pytest.fixture(params=list(TransportProtocol), ids=lambda one: one.name)
async def official(kit, request):
    import grpc.aio

    async with httpx.AsyncClient(timeout=60) as http:
        config = ClientConfig(
            streaming=True,
            httpx_client=http,
            grpc_channel_factory=grpc.aio.insecure_channel,
            supported_protocol_bindings=[request.param.value],
        )
        client = await create_client(kit.url, config)
        yield client
        await client.close()


def said(text: str, message_id: str, **more) -> a2a_pb2.SendMessageRequest:
    message = new_text_message(text, role=a2a_pb2.ROLE_USER)
    message.message_id = message_id
    for name, value in more.items():
        setattr(message, name, value)
    return a2a_pb2.SendMessageRequest(message=message)


async def test_a_task_is_streamed_answered_read_and_listed(official):
    task_id = ""
    async for event in official.send_message(said("hello", "tck-input-required-sdk")):
        if event.HasField("task"):
            task_id = event.task.id
        if event.HasField("status_update") and event.status_update.status.state == a2a_pb2.TASK_STATE_INPUT_REQUIRED:
            break
    states = []
    async for event in official.send_message(said("it is this", "answer-1", task_id=task_id)):
        if event.HasField("status_update"):
            states.append(event.status_update.status.state)
    assert states[-1] == a2a_pb2.TASK_STATE_COMPLETED
    task = await official.get_task(a2a_pb2.GetTaskRequest(id=task_id))
    assert task.artifacts[0].parts[0].text == "it is this"
    assert [message.message_id for message in task.history] == ["tck-input-required-sdk", "answer-1"]
    listed = await official.list_tasks(a2a_pb2.ListTasksRequest(context_id=task.context_id))
    assert [one.id for one in listed.tasks] == [task_id]


async def test_a_task_is_cancelled(official):
    first = None
    async for event in official.send_message(said("hello", "test-resubscribe-message-id-sdk")):
        first = event.task
        break
    done = await official.cancel_task(a2a_pb2.CancelTaskRequest(id=first.id))
    assert done.status.state == a2a_pb2.TASK_STATE_CANCELED
