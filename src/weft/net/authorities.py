"""The certificate authorities that connections are held to."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

import httpx2

from weft.core.errors import InputError


def authorities() -> ssl.SSLContext:
    """The authorities that the environment names, or those that come with the HTTP client; read once, since that takes long.

    Raises:
        InputError: they cannot be read.
    """
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _read(file: str | None, folder: str | None) -> ssl.SSLContext:
    del file, folder  # the client looks for them itself
    try:
        return httpx2.create_ssl_context()
    except OSError as error:  # an SSLError is one
        raise InputError(
            f"the certificate authorities cannot be read: {error}",
            fix="correct or unset SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error
