"""A service, and its clients: the same operations on each transport, written by hand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import httpx2
from a2a.types import a2a_pb2
from a2a.types.a2a_pb2_grpc import A2AServiceStub
from google.protobuf.json_format import MessageToDict, ParseDict
from google.rpc import error_details_pb2, status_pb2

from tests.server.served import Served

HEADERS = {"content-type": "application/json", "a2a-version": "1.0"}
EXTENSION = "urn:weft:a2a:gates:v1"


class Service(Served):
    """A service, and what it says of itself."""

    def card(self, tenant: str = "", **headers: str) -> dict:
        path = f"/a2a/{tenant}" if tenant else ""
        answer = httpx2.get(f"{self.url}{path}/.well-known/agent-card.json", headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def grpc_address(self) -> str:
        return next(one["url"] for one in self.card()["supportedInterfaces"] if one["protocolBinding"] == "GRPC")


class Refused(Exception):
    """An operation that was answered with an error: the reason in its details, and the transport's own code."""

    def __init__(self, reason: str, code: object, message: str) -> None:
        super().__init__(f"{reason} {code}: {message}")
        self.reason, self.code, self.message = reason, code, message


def told(text: str, message_id: str, **more: object) -> dict:
    return {"messageId": message_id, "role": "ROLE_USER", "parts": [{"text": text}], **more}


class JsonRpc:
    """JSON-RPC by hand."""

    def __init__(self, service: Service, tenant: str = "", **headers: str) -> None:
        self.url, self.tenant = f"{service.url}/a2a", tenant
        self.headers = {**HEADERS, **headers}

    def call(self, method: str, params: dict) -> dict:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": self._routed(params)}
        answer = httpx2.post(self.url, json=body, headers=self.headers, timeout=60)
        return self._result(answer.json())

    def events(self, method: str, params: dict) -> Iterator[dict]:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": self._routed(params)}
        with httpx2.stream("POST", self.url, json=body, headers=self.headers, timeout=60) as answer:
            if not answer.headers["content-type"].startswith("text/event-stream"):
                self._result(json.loads(answer.read()))
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield self._result(json.loads(line[6:]))

    def _routed(self, params: dict) -> dict:
        return {"tenant": self.tenant, **params} if self.tenant else params

    @staticmethod
    def _result(answer: dict) -> dict:
        assert answer["jsonrpc"] == "2.0"
        if "error" in answer:
            error = answer["error"]
            details = error.get("data") or [{}]
            raise Refused(details[0].get("reason"), error["code"], error["message"])
        return answer["result"]

    def send(self, message: dict, **configuration: object) -> dict:
        return self.call("SendMessage", {"message": message, "configuration": configuration})

    def stream(self, message: dict, **configuration: object) -> Iterator[dict]:
        return self.events("SendStreamingMessage", {"message": message, "configuration": configuration})

    def get(self, task: str, **more: object) -> dict:
        return self.call("GetTask", {"id": task, **more})

    def list(self, **more: object) -> dict:
        return self.call("ListTasks", more)

    def cancel(self, task: str) -> dict:
        return self.call("CancelTask", {"id": task})

    def subscribe(self, task: str) -> Iterator[dict]:
        return self.events("SubscribeToTask", {"id": task})

    def push(self, verb: str, task: str, **more: object) -> dict:
        name = "ListTaskPushNotificationConfigs" if verb == "List" else f"{verb}TaskPushNotificationConfig"
        return self.call(name, {"taskId": task, **more})

    def extended_card(self) -> dict:
        return self.call("GetExtendedAgentCard", {})


class Rest(JsonRpc):
    """REST by hand."""

    def __init__(self, service: Service, tenant: str = "", **headers: str) -> None:
        super().__init__(service, tenant, **headers)
        self.url = f"{service.url}/a2a/rest" + (f"/{tenant}" if tenant else "")

    def _ask(self, verb: str, path: str, **rest: object) -> dict:
        answer = httpx2.request(verb, f"{self.url}{path}", headers=self.headers, timeout=60, **rest)
        return self._checked(answer.status_code, answer.json())

    @staticmethod
    def _checked(status: int, body: dict) -> dict:
        if "error" in body:
            error = body["error"]
            assert error["code"] == status
            raise Refused((error.get("details") or [{}])[0].get("reason"), status, error["message"])
        return body

    def _sse(self, verb: str, path: str, **rest: object) -> Iterator[dict]:
        with httpx2.stream(verb, f"{self.url}{path}", headers=self.headers, timeout=60, **rest) as answer:
            if not answer.headers["content-type"].startswith("text/event-stream"):
                self._checked(answer.status_code, json.loads(answer.read()))
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    def send(self, message: dict, **configuration: object) -> dict:
        return self._ask("POST", "/message:send", json={"message": message, "configuration": configuration})

    def stream(self, message: dict, **configuration: object) -> Iterator[dict]:
        return self._sse("POST", "/message:stream", json={"message": message, "configuration": configuration})

    def get(self, task: str, **more: object) -> dict:
        return self._ask("GET", f"/tasks/{task}", params=more)

    def list(self, **more: object) -> dict:
        return self._ask(
            "GET", "/tasks", params={k: str(v).lower() if v in (True, False) else v for k, v in more.items()}
        )

    def cancel(self, task: str) -> dict:
        return self._ask("POST", f"/tasks/{task}:cancel")

    def subscribe(self, task: str) -> Iterator[dict]:
        return self._sse("POST", f"/tasks/{task}:subscribe")

    def push(self, verb: str, task: str, **more: object) -> dict:
        base = f"/tasks/{task}/pushNotificationConfigs"
        if verb == "Create":
            return self._ask("POST", base, json=more)
        if verb == "List":
            return self._ask("GET", base)
        return self._ask({"Get": "GET", "Delete": "DELETE"}[verb], f"{base}/{more['id']}")

    def extended_card(self) -> dict:
        return self._ask("GET", "/extendedAgentCard")


class Grpc(JsonRpc):
    """gRPC with the generated stub."""

    REQUESTS = {
        "SendMessage": a2a_pb2.SendMessageRequest,
        "SendStreamingMessage": a2a_pb2.SendMessageRequest,
        "GetTask": a2a_pb2.GetTaskRequest,
        "ListTasks": a2a_pb2.ListTasksRequest,
        "CancelTask": a2a_pb2.CancelTaskRequest,
        "SubscribeToTask": a2a_pb2.SubscribeToTaskRequest,
        "CreateTaskPushNotificationConfig": a2a_pb2.TaskPushNotificationConfig,
        "GetTaskPushNotificationConfig": a2a_pb2.GetTaskPushNotificationConfigRequest,
        "ListTaskPushNotificationConfigs": a2a_pb2.ListTaskPushNotificationConfigsRequest,
        "DeleteTaskPushNotificationConfig": a2a_pb2.DeleteTaskPushNotificationConfigRequest,
        "GetExtendedAgentCard": a2a_pb2.GetExtendedAgentCardRequest,
    }

    def __init__(self, service: Service, tenant: str = "", **headers: str) -> None:
        super().__init__(service, tenant, **headers)
        self.channel = grpc.insecure_channel(service.grpc_address())
        self.stub = A2AServiceStub(self.channel)
        self.metadata = [(name, value) for name, value in self.headers.items() if name != "content-type"]

    def call(self, method: str, params: dict) -> dict:
        request = ParseDict(self._routed(params), self.REQUESTS[method]())
        try:
            answer = getattr(self.stub, method)(request, metadata=self.metadata, timeout=60)
        except grpc.RpcError as error:
            raise refused(error) from None
        return MessageToDict(answer)

    def events(self, method: str, params: dict) -> Iterator[dict]:
        request = ParseDict(self._routed(params), self.REQUESTS[method]())
        stream = getattr(self.stub, method)(request, metadata=self.metadata, timeout=60)
        try:
            for event in stream:
                yield MessageToDict(event)
        except grpc.RpcError as error:
            raise refused(error) from None
        finally:
            stream.cancel()


def refused(error: grpc.RpcError) -> Refused:
    reason = None
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            status, info = status_pb2.Status(), error_details_pb2.ErrorInfo()
            status.ParseFromString(value)
            if status.details and status.details[0].Unpack(info):
                assert info.domain == "a2a-protocol.org"
                reason = info.reason
    return Refused(reason, error.code().name, error.details())


CLIENTS = {"jsonrpc": JsonRpc, "rest": Rest, "grpc": Grpc}


class Receiver:
    """Takes push notifications on loopback."""

    def __init__(self, statuses: tuple[int, ...] = ()) -> None:
        self.got: list[tuple[dict, dict]] = []
        self._statuses = list(statuses)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = receiver._statuses.pop(0) if receiver._statuses else 200
                if status == 200:
                    receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def until(self, fits, seconds: float = 30) -> list[dict]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            bodies = [body for _, body in self.got]
            if fits(bodies):
                return bodies
            time.sleep(0.05)
        raise AssertionError(self.got)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def state(event: dict) -> str:
    """The state that an event or a task tells of, without its prefix."""
    inside = event.get("task") or event.get("statusUpdate") or event
    return inside.get("status", {}).get("state", "").removeprefix("TASK_STATE_")


def answer(task: dict) -> str:
    parts = [part for one in task.get("artifacts", ()) if one["artifactId"] == "answer" for part in one["parts"]]
    return "".join(part.get("text", "") for part in parts)
