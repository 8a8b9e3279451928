"""A remote agent to ask: the conformance profile's service, and workflows of the test's own."""

from tests.server.a2a.conftest import kit, serve

__all__ = ["kit", "serve"]
