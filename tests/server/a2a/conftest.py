"""Services for the tests of A2A."""

from collections.abc import Iterator

import pytest

from tests.server.a2a.service import CLIENTS, Service


@pytest.fixture(scope="package")
def kit(tmp_path_factory) -> Iterator[Service]:
    """A service with the profile for the conformance kit."""
    service = Service(tmp_path_factory.mktemp("kit"), "--profile", "a2a-conformance")
    yield service.start()
    service.kill()


@pytest.fixture(params=list(CLIENTS))
def client(kit, request):
    """A client of that service, one for each transport."""
    made = CLIENTS[request.param](kit)
    yield made
    if hasattr(made, "channel"):
        made.channel.close()


@pytest.fixture
def serve(tmp_path):
    """Starts services of the test's own: ``serve({"name": "text of a workflow"}, NAME=value, …)``."""
    made: list[Service] = []

    def start(flows, *options, **environ) -> Service:
        made.append(Service(tmp_path / f"service{len(made)}", *options, flows=flows, **environ))
        return made[-1].start()

    yield start
    for one in made:
        one.kill()
