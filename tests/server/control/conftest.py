"""One service for all tests of the control API, and one for those that need their own."""

import pytest

from tests.server.control.service import Api, Served


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("service")).start()
    yield served
    served.kill()


@pytest.fixture(scope="session")
def api(service):
    with Api(service.url) as api:
        yield api


@pytest.fixture
def serve(tmp_path):
    made = []

    def make(**environ):
        made.append(Served(tmp_path / f"service{len(made)}", **environ))
        return made[-1].start()

    yield make
    for one in made:
        one.kill()
