"""The real service, as a process of its own: started, killed and started again by tests, over folders of the test's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from tests.processes import Started, start


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Served:
    """`weft up` over `flows`, its state below `home`; always at the same port."""

    home: Path
    flows: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: Started | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        command = ["up", self.flows, "--port", self.port, "--json", *options]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("WEFT_", "OPENAI_"))}
        environ = {**clean, "WEFT_HOME": str(self.home), "WEFT_NET__ALLOW_LOOPBACK": "true", **self.environ}
        log = (self.home.parent / "service.log").open("a", encoding="utf-8")
        self.process = start(command, env=environ, stdout=log, stderr=log, cwd=self.home.parent)
        log.close()
        self._until_ready()

    def _until_ready(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            try:
                with urlopen(f"{self.url}/health/ready", timeout=1) as answer:  # noqa: S310 -- our own service
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return (self.home.parent / "service.log").read_text(encoding="utf-8")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=10)

    def restart(self, *options: str) -> None:
        self.kill()
        self.start(*options)

    def stop(self) -> int:
        """Ask it to stop; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def get(self, path: str) -> dict[str, object]:
        with urlopen(f"{self.url}{path}", timeout=10) as answer:  # noqa: S310 -- our own service
            found: dict[str, object] = json.load(answer)
        return found
