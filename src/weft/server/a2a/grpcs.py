"""A2A over gRPC, on a port of its own: the doorkeeper stands here too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from a2a.utils.errors import A2AError
from a2a.utils.grpc_status import status_to_grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # made without types

from weft.app.limits import Limits
from weft.core.errors import AuthError, StorageError
from weft.core.settings_model import Server
from weft.server.a2a.contexts import GrpcContexts
from weft.server.caller import Caller, Doorkeeper
from weft.server.certificates import certificates
from weft.server.standing import Standing, no_longer

_GRACE_S = 1.0
_DOMAIN = "weft"
_STREAMS = 1_000
_UNREAD = "the request is no message of this method"


class _Door(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Turns away calls without the credential that the service wants."""

    def __init__(self, doorkeeper: Doorkeeper, standing: Standing) -> None:
        self._doorkeeper = doorkeeper
        self._standing = standing

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Go on with an admitted call, or end it."""
        metadata = handler_call_details.invocation_metadata or ()
        fields = {name.lower(): value if isinstance(value, str) else "" for name, value in metadata}
        try:
            caller = await self._doorkeeper.welcome(fields)
        except AuthError as error:
            return _ending(error.message, await continuation(handler_call_details))
        wanted = _read_whole(await continuation(handler_call_details))
        if wanted is None or not wanted.response_streaming:
            return wanted
        return wanted._replace(unary_stream=self._watched(wanted.unary_stream, caller, fields))

    def _watched(self, wanted: Any, caller: Caller, fields: Mapping[str, str]) -> Any:
        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            limit = asyncio.timeout(None)
            try:
                async with limit:
                    with self._standing.watching(caller, fields, limit):
                        async for item in wanted(request, context):
                            yield item
            except TimeoutError:
                if not limit.expired():
                    raise
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, no_longer().message)

        return stream


def _read_whole(wanted: Any) -> Any:
    """`wanted`, given no bytes that are no message: to those the library would answer with the name of an exception."""
    if wanted is None:
        return None

    def read(body: bytes) -> Any:
        try:
            return wanted.request_deserializer(body)
        except DecodeError:
            return None

    async def one(request: Any, context: Any) -> Any:
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _UNREAD)
        return await wanted.unary_unary(request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _UNREAD)
        async for item in wanted.unary_stream(request, context):
            yield item

    answer = {"unary_stream": stream} if wanted.response_streaming else {"unary_unary": one}
    return wanted._replace(request_deserializer=read, **answer)


def _ending(message: str, wanted: Any) -> Any:
    async def end(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, message)

    if wanted is not None and wanted.response_streaming:

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            await end(request, context)
            yield None

        return grpc.unary_stream_rpc_method_handler(stream)
    return grpc.unary_unary_rpc_method_handler(end)


class _Answering(GrpcHandler):
    """The SDK's, which has no word for an exceeded limit: a client learns from the status and its `RetryInfo` when to ask again."""

    async def abort_context(self, error: A2AError, context: grpc.aio.ServicerContext) -> None:
        """End a call with an error."""
        data = error.data if isinstance(error.data, dict) else {}
        if data.get("code") != "rate-limited":
            await super().abort_context(error, context)
            return
        status = status_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], message=error.message)
        info = error_details_pb2.ErrorInfo(reason="RATE_LIMITED", domain=_DOMAIN, metadata=data)
        wait = error_details_pb2.RetryInfo()
        wait.retry_delay.FromMilliseconds(int(float(data.get("retry_after_s", "1")) * 1_000))
        for detail in (info, wait):
            status.details.add().Pack(detail)
        await context.abort_with_status(status_to_grpc(status))


class GrpcServer:
    """Listens at once, so that cards can name the port, and serves while it is `running`."""

    def __init__(self, settings: Server, doorkeeper: Doorkeeper, limits: Limits, standing: Standing) -> None:
        assert settings.grpc_port is not None
        self._contexts = GrpcContexts(doorkeeper, limits)
        self._server = grpc.aio.server(
            interceptors=[_Door(doorkeeper, standing)],
            options=[
                ("grpc.max_receive_message_length", settings.max_request_bytes),
                ("grpc.max_concurrent_streams", _STREAMS),
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=10 * _STREAMS,
        )
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            where, tls = f"{host}:{settings.grpc_port}", certificates(settings)
            if tls is None:
                port = self._server.add_insecure_port(where)
            else:
                port = self._server.add_secure_port(where, tls.for_grpc())
        except RuntimeError as error:
            raise StorageError(
                f"cannot listen on {host}:{settings.grpc_port} for gRPC",
                fix="is something else listening there? `server.grpc_port = 0` takes a free one",
            ) from error
        self.address = f"{host}:{port}"

    @asynccontextmanager
    async def running(self, handler: RequestHandler) -> AsyncIterator[None]:
        """Serve `handler` meanwhile."""
        service = _Answering(handler, self._contexts)
        add_A2AServiceServicer_to_server(service, self._server)  # type: ignore[no-untyped-call]  # made without types
        await self._server.start()
        try:
            yield
        finally:
            await self._server.stop(_GRACE_S)
