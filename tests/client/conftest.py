"""One service for all tests of the clients, and one for those that need their own."""

import pytest

from tests.server.control.service import Served
from weft.client import Client


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("service")).start()
    yield served
    served.kill()


@pytest.fixture
def client(service):
    with Client(service.url) as client:
        yield client


@pytest.fixture
def serve(tmp_path):
    made = []

    def make(**environ):
        made.append(Served(tmp_path / f"service{len(made)}", **environ))
        return made[-1].start()

    yield make
    for one in made:
        one.kill()
