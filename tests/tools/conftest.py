from dataclasses import dataclass
from pathlib import Path

import pytest

from weft.net.client import HttpClient
from weft.net.egress import EgressPolicy
from weft.secrets.resolve import SecretRef, Secrets
from weft.tools.port import ToolContext


@dataclass
class StoppedClock:
    now: int = 1_795_238_880_123_456

    def micros(self):
        return self.now

    def monotonic(self):
        return 0.0

    async def sleep(self, seconds):
        raise AssertionError("no tool sleeps")


@pytest.fixture
def workdir(tmp_path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
async def context(workdir):
    secrets = Secrets([SecretRef(name="TOKEN", key="MY_TOKEN")], environ={"MY_TOKEN": "tok-very-secret"})
    async with HttpClient(EgressPolicy(allow_loopback=True)) as http:
        yield ToolContext(key="key-1", workdir=workdir, clock=StoppedClock(), http=http, secrets=secrets)
