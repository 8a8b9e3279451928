"""Every operation of A2A on every transport, as clients written by hand see it."""

import threading
import uuid

import pytest

from tests.server.a2a.service import EXTENSION, Receiver, Refused, answer, state, told

pytestmark = pytest.mark.slow
INTERRUPTED = {"INPUT_REQUIRED", "AUTH_REQUIRED"}


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def completed(client) -> dict:
    return client.send(told("hello", fresh("tck-complete-task")))["task"]


def asking(client) -> dict:
    task = client.send(told("first", fresh("tck-input-required")))["task"]
    assert state(task) == "INPUT_REQUIRED"
    return task


def test_a_blocking_send_returns_the_task_when_it_has_completed(client):
    task = completed(client)
    assert state(task) == "COMPLETED"
    assert answer(task) == "Hello from TCK"
    assert task["status"]["timestamp"].endswith("Z")
    assert [message["parts"][0]["text"] for message in task["history"]] == ["hello"]
    assert client.get(task["id"]) == task


@pytest.mark.parametrize(
    ("prefix", "part"),
    [
        ("tck-artifact-text", {"text": "Generated text content", "mediaType": "text/plain"}),
        ("tck-artifact-file", {"raw": "dGNr", "filename": "output.txt", "mediaType": "text/plain"}),
        (
            "tck-artifact-file-url",
            {"url": "https://example.com/output.txt", "filename": "output.txt", "mediaType": "text/plain"},
        ),
        ("tck-artifact-data", {"data": {"key": "value", "count": 42}, "mediaType": "application/json"}),
    ],
)
def test_what_a_run_leaves_is_an_artifact_of_its_kind(client, prefix, part):
    task = client.send(told("go", fresh(prefix)))["task"]
    assert [one["parts"] for one in task["artifacts"]] == [[part]]


def test_an_agent_may_answer_with_a_message_alone(client):
    message = client.send(told("go", fresh("tck-message-response")))["message"]
    assert message["role"] == "ROLE_AGENT"
    assert message["parts"][0]["text"] == "Direct message response"
    assert message["contextId"]
    events = list(client.stream(told("go", fresh("tck-stream-002"))))
    assert [list(event) for event in events] == [["message"]]


def test_a_task_that_asks_for_input_goes_on_with_the_answer_and_keeps_every_message(client):
    task = asking(client)
    first, second = task["history"][0], told("the answer", fresh("tck-complete-task"), taskId=task["id"])
    done = client.send(second)["task"]
    assert (done["id"], done["contextId"], state(done)) == (task["id"], task["contextId"], "COMPLETED")
    assert answer(done) == "the answer"
    kept = client.get(task["id"])["history"]
    assert kept[0] == first
    assert (kept[1]["messageId"], kept[1]["parts"]) == (second["messageId"], second["parts"])
    assert len(client.get(task["id"], historyLength=1)["history"]) == 1
    assert client.get(task["id"], historyLength=1)["history"][0]["messageId"] == second["messageId"]
    assert "history" not in client.get(task["id"], historyLength=0)


def test_history_can_be_left_out_of_the_answer_to_a_send(client):
    task = asking(client)
    done = client.send(told("x", fresh("m"), taskId=task["id"]), historyLength=0)["task"]
    assert state(done) == "COMPLETED"
    assert "history" not in done


def refusal(act) -> str:
    with pytest.raises(Refused) as caught:
        answer = act()
        if not isinstance(answer, dict):
            list(answer)
    return caught.value.reason


def test_what_cannot_be_is_refused_with_its_reason(client):
    task, open_task = completed(client), asking(client)
    nobody = "00000000-0000-7000-8000-000000000000"
    assert refusal(lambda: client.get(nobody)) == "TASK_NOT_FOUND"
    assert refusal(lambda: client.cancel(nobody)) == "TASK_NOT_FOUND"
    assert refusal(lambda: client.subscribe(nobody)) == "TASK_NOT_FOUND"
    assert refusal(lambda: client.send(told("x", fresh("m"), taskId=nobody))) == "TASK_NOT_FOUND"
    assert refusal(lambda: client.cancel(task["id"])) == "TASK_NOT_CANCELABLE"
    assert refusal(lambda: client.subscribe(task["id"])) == "UNSUPPORTED_OPERATION"
    assert refusal(lambda: client.send(told("x", fresh("m"), taskId=task["id"]))) == "UNSUPPORTED_OPERATION"
    wrong = told("x", fresh("m"), taskId=open_task["id"], contextId="another")
    assert refusal(lambda: client.send(wrong)) == "INVALID_PARAMS"
    assert refusal(lambda: client.send({"messageId": "m", "role": "ROLE_USER", "parts": []})) == "INVALID_PARAMS"
    assert refusal(lambda: client.send({"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "x"}]})) == (
        "INVALID_PARAMS"
    )
    odd = {"raw": "dGNr", "mediaType": "application/x-unsupported-tck-type"}
    unknown = {"messageId": fresh("tck-send-003"), "role": "ROLE_USER", "parts": [odd]}
    assert refusal(lambda: client.send(unknown)) == "CONTENT_TYPE_NOT_SUPPORTED"
    picture = {"messageId": fresh("tck-send-004"), "role": "ROLE_USER", "parts": [{**odd, "mediaType": "image/png"}]}
    assert state(client.send(picture)["task"]) == "COMPLETED"
    assert refusal(lambda: client.get(task["id"], historyLength=-1)) == "INVALID_PARAMS"
    assert refusal(client.extended_card) == "UNSUPPORTED_OPERATION"


@pytest.mark.parametrize("version", ["", "0.3", "99.0", "2.0", "nonsense"])
def test_another_version_is_refused_and_no_version_means_the_old_one(client, version):
    client.headers["a2a-version"] = version
    client.metadata = [("a2a-version", version)]
    assert refusal(lambda: client.get("x")) == "VERSION_NOT_SUPPORTED"
    assert refusal(lambda: client.stream(told("x", "m"))) == "VERSION_NOT_SUPPORTED"


def test_a_send_that_shall_not_wait_returns_while_the_task_works(client):
    task = client.send(told("go", fresh("tck-delayed-complete")), returnImmediately=True)["task"]
    assert state(task) in {"SUBMITTED", "WORKING"}
    assert state(client.send(told("go", fresh("tck-delayed-complete")))["task"]) == "COMPLETED"


def test_a_stream_begins_with_the_task_and_ends_with_its_end(client):
    events = list(client.stream(told("go", fresh("tck-stream-ordering-001"))))
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "task"
    assert state(events[0]) == "SUBMITTED"
    assert kinds[-2:] == ["artifactUpdate", "statusUpdate"]
    assert state(events[-1]) == "COMPLETED"
    assert events[-2]["artifactUpdate"]["lastChunk"] is True
    assert events[-2]["artifactUpdate"]["artifact"]["parts"][0]["text"] == "Ordered output"
    assert (
        len({event[kind].get("taskId", event[kind].get("id")) for event, kind in zip(events, kinds, strict=True)}) == 1
    )


def test_an_agent_at_work_is_told_of_in_a_stream(client):
    events = list(client.stream(told("go", fresh("tck-stream-artifact-chunked"))))
    working = [event["statusUpdate"] for event in events if state(event) == "WORKING"]
    assert working[0]["metadata"] == {"agent": "speaker", "step": "/step[0]"}
    pieces = [event["artifactUpdate"] for event in events if "artifactUpdate" in event]
    assert pieces[0]["metadata"]["agent"] == "speaker"


def test_all_subscribers_see_the_same_events_in_the_same_order(client):
    task = asking(client)
    seen: list[list[dict]] = [[], [], []]
    ready = threading.Barrier(4)

    def read(place: int) -> None:
        stream = client.subscribe(task["id"])
        seen[place].append(next(stream))
        ready.wait(60)
        if place < 2:
            seen[place].extend(stream)
        else:
            stream.close()

    threads = [threading.Thread(target=read, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    ready.wait(60)
    client.send(told("finish", fresh("tck-complete-task"), taskId=task["id"]))
    for thread in threads:
        thread.join(60)
    for each in seen:
        # When it was last written to: what follows a question that is asked already may still be on its way as they come.
        assert each[0]["task"]["status"].pop("timestamp")
    assert seen[0] == seen[1]
    assert seen[2] == seen[0][:1]
    assert "task" in seen[0][0]
    assert [state(event) for event in seen[0] if state(event)] == ["INPUT_REQUIRED", "WORKING", "COMPLETED"]


def test_a_stream_stays_open_while_the_task_asks(client):
    stream = client.stream(told("go", fresh("tck-input-required")))
    events = [next(stream)]
    while state(events[-1]) not in INTERRUPTED:
        events.append(next(stream))
    task = events[0]["task"]["id"]
    client.send(told("done", fresh("m"), taskId=task))
    events += list(stream)
    assert state(events[-1]) == "COMPLETED"


def test_a_task_can_be_cancelled(client):
    task = asking(client)
    assert state(client.cancel(task["id"])) == "CANCELED"
    assert state(client.get(task["id"])) == "CANCELED"
    working = client.send(told("go", fresh("test-resubscribe-message-id")), returnImmediately=True)["task"]
    assert state(client.cancel(working["id"])) == "CANCELED"


def test_what_is_refused_before_it_starts_is_a_rejected_task(client):
    task = client.send(told("go", fresh("tck-reject-task")))["task"]
    assert state(task) == "REJECTED"
    assert client.get(task["id"]) == task
    assert refusal(lambda: client.cancel(task["id"])) == "TASK_NOT_CANCELABLE"
    assert refusal(lambda: client.send(told("x", fresh("m"), taskId=task["id"]))) == "UNSUPPORTED_OPERATION"


def gate_of(task: dict) -> dict:
    return next(part["data"] for part in task["status"]["message"]["parts"] if "data" in part)


def decide(task: dict, **decision) -> dict:
    data = {"gate": gate_of(task)["gate"], "shown": gate_of(task)["shown"], "choice": "approve", **decision}
    return {
        "messageId": fresh("decision"),
        "role": "ROLE_USER",
        "taskId": task["id"],
        "extensions": [EXTENSION],
        "parts": [{"data": data}],
    }


def test_a_decision_is_made_by_the_extension_and_never_by_words(client):
    task = client.send(told("go", fresh("tck-auth-required")))["task"]
    assert state(task) == "AUTH_REQUIRED"
    assert gate_of(task)["choices"] == ["approve", "reject"]
    still = client.send(told("approve", fresh("m"), taskId=task["id"]))["task"]
    assert state(still) == "AUTH_REQUIRED"
    assert refusal(lambda: client.send(decide(task, shown="0" * 64))) == "UNSUPPORTED_OPERATION"
    assert refusal(lambda: client.send(decide(task, gate="none"))) == "INVALID_PARAMS"
    unhashed = decide(task)
    del unhashed["parts"][0]["data"]["shown"]
    assert refusal(lambda: client.send(unhashed)) == "INVALID_PARAMS"
    assert state(client.get(task["id"])) == "AUTH_REQUIRED"
    assert state(client.send(decide(task))["task"]) == "COMPLETED"


def test_lists_are_filtered_paged_and_the_latest_first(client):
    context = fresh("context")
    made = [client.send(told("go", fresh("tck-complete-task"), contextId=context))["task"]["id"] for _ in range(3)]
    whole = client.list(contextId=context)
    assert [task["id"] for task in whole["tasks"]] == made[::-1]
    assert (whole["totalSize"], whole.get("nextPageToken", "")) == (3, "")
    assert all("artifacts" not in task for task in whole["tasks"])
    first = client.list(contextId=context, pageSize=2)
    second = client.list(contextId=context, pageSize=2, pageToken=first["nextPageToken"])
    assert [task["id"] for task in first["tasks"] + second["tasks"]] == made[::-1]
    assert second.get("nextPageToken", "") == ""
    assert all(task["artifacts"] for task in client.list(contextId=context, includeArtifacts=True)["tasks"])
    assert (
        "history" not in client.list(contextId=context, historyLength=0)["tasks"][0]
        or not client.list(contextId=context, historyLength=0)["tasks"][0]["history"]
    )
    assert client.list(contextId="nobody").get("tasks", []) == []
    for wrong in ({"pageSize": 0}, {"pageSize": 101}, {"pageToken": "none of ours"}, {"historyLength": -1}):
        assert refusal(lambda wrong=wrong: client.list(**wrong)) == "INVALID_PARAMS"


def test_lists_tell_tasks_that_ask_from_those_that_work(client):
    task, context = asking(client), None
    context = task["contextId"]
    found = client.list(contextId=context, status="TASK_STATE_INPUT_REQUIRED")
    assert [one["id"] for one in found["tasks"]] == [task["id"]]
    assert client.list(contextId=context, status="TASK_STATE_WORKING").get("tasks", []) == []
    after = client.list(contextId=context, statusTimestampAfter="2100-01-01T00:00:00Z")
    assert after.get("tasks", []) == []


def test_push_configs_are_made_read_listed_and_deleted(client):
    task = completed(client)["id"]
    config = {"id": "one", "url": "https://example.com/hook"}
    made = client.push("Create", task, **config)
    assert (made["id"], made["url"], made["taskId"]) == ("one", config["url"], task)
    assert client.push("Get", task, id="one") == made
    assert client.push("List", task)["configs"] == [made]
    client.push("Delete", task, id="one")
    client.push("Delete", task, id="one")
    assert refusal(lambda: client.push("Get", task, id="one")) == "TASK_NOT_FOUND"
    assert client.push("List", task).get("configs", []) == []
    for url in ("http://169.254.169.254/latest", "ftp://example.com/x", "http://user@example.com/"):
        assert refusal(lambda url=url: client.push("Create", task, url=url)) in {
            "UNSUPPORTED_OPERATION",
            "INVALID_PARAMS",
        }


def test_updates_are_pushed_in_order_with_the_credentials_that_were_given(client):
    receiver = Receiver(statuses=(503,))
    try:
        config = {"url": receiver.url, "authentication": {"scheme": "Bearer", "credentials": "sesame"}, "token": "t1"}
        task = client.send(told("go", fresh("tck-input-required")), taskPushNotificationConfig=config)["task"]
        client.send(told("done", fresh("tck-complete-task"), taskId=task["id"]))
        bodies = receiver.until(lambda got: any(state(one) == "COMPLETED" for one in got))
    finally:
        receiver.close()
    assert [state(one) for one in bodies if state(one)] == ["INPUT_REQUIRED", "WORKING", "COMPLETED"]
    assert all(len(one) == 1 for one in bodies)
    headers = receiver.got[0][0]
    assert headers["authorization"] == "Bearer sesame"
    assert headers["x-a2a-notification-token"] == "t1"
    assert headers["content-type"] == "application/a2a+json"
    assert "sesame" not in str(client.push("List", task["id"]))


def test_extensions_that_nobody_knows_are_no_mistake(client):
    client.headers["a2a-extensions"] = "https://example.com/a,https://example.com/b"
    client.metadata = [("a2a-version", "1.0"), ("a2a-extensions", "https://example.com/a")]
    assert state(completed(client)) == "COMPLETED"
