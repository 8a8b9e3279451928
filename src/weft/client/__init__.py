"""A typed client of a running service.

    from weft.client import Client

    with Client("http://127.0.0.1:8480") as client:
        run = client.runs.start(workflow="brief", inputs={"text": "Rain fell."})
        for event in client.runs.stream(run.id):
            print(event.type)

`shapes`, `given`, `operations`, `blocking` and `awaiting` are written by ``scripts/client`` from the OpenAPI document.
"""

from weft.client.connection import AsyncClient, Client
from weft.client.items import AsyncItems, Items
from weft.client.streaming import Envelope
from weft.client.trust import Tls

__all__ = ["AsyncClient", "AsyncItems", "Client", "Envelope", "Items", "Tls"]
