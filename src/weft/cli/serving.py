"""The resident service: listens, says where, and stops without losing anything."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from weft.app.admission.cookies import new_link
from weft.app.auditing.configured import note_certificate, note_settings
from weft.app.hosting import Host
from weft.app.memory import settle
from weft.app.service import ModelChoice
from weft.app.serving.library import Published
from weft.cli import logs
from weft.cli.terminal import say_json, tell
from weft.core.errors import InputError, StorageError
from weft.core.setting_kinds import absolute
from weft.core.settings import Settings, load_settings
from weft.server.a2a.profile import for_conformance
from weft.server.application import build
from weft.server.certificates import certificates
from weft.server.wire import guarded

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def serve(
    *,
    folders: Sequence[Path],
    host: str | None,
    port: int | None,
    offline: bool,
    profile: str | None,
    as_json: bool,
) -> int:
    """Serve until a signal comes; a second one ends the process at once, which the journal survives."""
    settings = _with(load_settings(), folders, host, port)
    if profile is not None:
        settings = for_conformance(settings, profile)
    logs.start(settings.log.level, settings.log.format)
    _check(settings)
    choice = ModelChoice(offline=True) if offline else None
    asyncio.run(_serve(settings, choice, as_json=as_json))
    return 0


def _with(settings: Settings, folders: Sequence[Path], host: str | None, port: int | None) -> Settings:
    given: dict[str, Any] = {}
    if folders:
        given["folders"] = tuple(absolute(folder) for folder in folders)
    given |= {"host": host} if host is not None else {}
    given |= {"port": port} if port is not None else {}
    return settings.model_copy(update={"server": settings.server.model_copy(update=given)})


def _check(settings: Settings) -> None:
    server = settings.server
    for folder in server.folders:
        if not folder.is_dir():
            raise InputError(f"there is no folder {str(folder)!r}", fix="name a folder that holds workflows")
    if server.host not in _LOOPBACK and server.token is None and settings.identity.issuer is None:
        raise InputError(
            f"listening on {server.host!r}, anybody who reaches this machine could run workflows",
            fix="set WEFT_SERVER__TOKEN to a secret that callers have to show (or WEFT_IDENTITY__ISSUER), or listen on 127.0.0.1",
        )


async def _serve(settings: Settings, choice: ModelChoice | None, *, as_json: bool) -> None:
    tls = certificates(settings.server)
    listening = _listen(settings.server.host, settings.server.port)
    port = listening.getsockname()[1]
    name = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    url = settings.server.public_url or f"http{'s' if tls else ''}://{name}:{port}"
    service = Host(settings, choice=choice, url=url)
    try:
        note_settings(settings, service.journal, service.trail, "up")
        if tls is not None:
            tls.told = partial(note_certificate, service.trail)
        app = build(service, url=url)
        config = uvicorn.Config(
            app,
            http=guarded(settings.server),
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=None,
            lifespan="on",
            ssl_context_factory=None if tls is None else lambda *_: tls.context,
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours drain first
        await _until_stopped(server, listening, service, url, as_json=as_json)
    finally:
        await service.close()
        listening.close()


async def _until_stopped(server: Any, listening: socket.socket, service: Host, url: str, *, as_json: bool) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(number: int) -> None:
        stopping.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop, number)
    settle()
    running = asyncio.ensure_future(server._serve([listening]))  # noqa: SLF001 -- `serve` would take the signals for itself
    _say_ready(service, url, as_json=as_json)
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not as_json:
        tell("stopping: running work is finished, or left to be resumed")
    await service.drain()
    service.news.close()
    service.tails.close()
    server.should_exit = True
    await running


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With its protocol named, or asyncio does not know it for TCP and leaves answers waiting for acknowledgements (40 ms each).
        made = socket.socket(*found[:3])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(found[4])
        made.listen(1_024)
    except OSError as error:
        raise StorageError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            fix="is something else listening there? `weft up --port 0` takes a free port",
        ) from error
    made.setblocking(False)
    return made


def _say_ready(service: Host, url: str, *, as_json: bool) -> None:
    served = service.library.all()
    if as_json:
        say_json({"event": "ready", "url": url, "served": [one.name for one in served]}, indent=None)
        return
    count = f"{len(served)} workflow{'' if len(served) == 1 else 's'} and agents" if served else "no workflow yet"
    tell(f"Weft serves {count} at {url}  (Ctrl-C stops it)")
    tell(f"  control API  {url}/api/v1        described by {url}/openapi.json")
    tell(f"  OpenAI       {url}/v1            for any client of theirs: OPENAI_BASE_URL={url}/v1")
    tell(f"  A2A          {url}/a2a           card at {url}/.well-known/agent-card.json")
    tell(f"  MCP          {url}/mcp")
    if service.settings.server.token is None and service.settings.identity.issuer is None:
        tell("  identity is off: whoever reaches this address from this machine is its user, and may do everything")
    elif sys.stderr.isatty():
        tell(f"  sign in      {url}/auth/link?code={new_link(service.sealed)}   (once, within ten minutes)")
    else:
        # What is kept of the output is no place for what lets somebody in.
        tell("  sign in      with the address that `weft link` prints")
    for path, error in list(service.library.broken().items())[:5]:
        tell(f"  not served: {path.name}: {error.message}")
    if served:
        asked = '{"model": "%s", "messages": [{"role": "user", "content": "Hello"}]}' % _easiest(served).name  # noqa: UP031 -- JSON is full of braces
        tell(f"Try it:  curl -s {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{asked}'")


def _easiest(served: Sequence[Published]) -> Published:
    """What a message alone is enough for, if there is such a thing."""
    return next(
        (one for one in served if one.main_input is not None and len(one.input_schema["required"]) < 2), served[0]
    )
