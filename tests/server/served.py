"""`weft up` as a process of its own, on a free port, with a home and a folder of workflows: started, killed and started again by tests."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.ports import free_port
from tests.postgres_server import Elsewhere
from tests.processes import start
from weft.store.journal import Journal


class Served:
    """A service over the workflows in `flows`; whenever it is started, it has the same port and home."""

    def __init__(self, folder: Path, *options: str, flows: Mapping[str, str] | None = None, **environ: str) -> None:
        self.folder, self.options = folder, options
        self.home, self.flows = folder / "home", folder / "flows"
        self.flows.mkdir(parents=True, exist_ok=True)
        for name, text in (flows or {}).items():
            self.add(name, text)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("WEFT_", "OPENAI_"))}
        own = {"WEFT_HOME": str(self.home), "PYTHONPATH": str(folder), **Elsewhere.environ(self.home)}
        self.environ = {**clean, **own, **environ}
        self.port = free_port()
        self.process: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def journal(self) -> str:
        """Where its journal is: a file, or on Postgres."""
        return self.environ.get("WEFT_STORE__URL") or str(self.home / "journal.db")

    def latest(self) -> str | None:
        """The id of its newest run, as the journal has it."""
        journal = Journal(self.journal)
        try:
            return next((run.id for run in journal.runs.list(limit=1)), None)
        finally:
            journal.close()

    def add(self, name: str, text: str) -> None:
        (self.flows / f"{name}.yaml").write_text(text, encoding="utf-8")

    def start(self) -> Self:
        folders = () if "--profile" in self.options else (self.flows,)
        command = ["up", *folders, "--port", self.port, "--json", *self.options]
        with (self.folder / "up.log").open("ab") as log:
            self.process = start(command, env=self.environ, cwd=self.folder, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{self.url}/health/ready", timeout=5).status_code == 200:
                    return self
            time.sleep(0.05)
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text(encoding="utf-8")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def stop(self) -> int:
        """Ask it to stop; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return int(self.process.wait(60))

    def restart(self) -> None:
        self.kill()
        self.start()

    def api(self, method: str, path: str, **rest: Any) -> httpx2.Response:
        return httpx2.request(method, f"{self.url}/api/v1{path}", timeout=30, **rest)

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api("GET", f"/runs/{run_id}").json()
        return found

    def wait_for(self, run_id: str, *statuses: str, seconds: float = 30) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while (run := self.run(run_id))["status"] not in statuses:
            assert time.monotonic() < until, run
            time.sleep(0.05)
        return run
