"""Whom a client trusts, and what it shows of itself, where the service speaks TLS."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from weft.core.errors import InputError

_VARIABLES = {"ca": "WEFT_TLS_CA", "cert": "WEFT_TLS_CERT", "key": "WEFT_TLS_KEY"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files: the authorities that may vouch for the service (those of this machine by default), and the client's own certificate with its key."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """What the variables of the environment name."""
        found = {name: os.environ.get(variable) for name, variable in _VARIABLES.items()}
        return cls(**{name: Path(value).expanduser() for name, value in found.items() if value})

    def context(self) -> ssl.SSLContext | None:
        """What a connection is made with; None where nothing is named.

        Raises:
            InputError: a file cannot be read or does not fit.
        """
        if self.ca is None and self.cert is None and self.key is None:
            return None
        try:
            made = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None:
                made.load_cert_chain(self.cert, self.key, password=lambda: "")
        except OSError as error:  # that of ssl is one
            raise InputError(
                f"the certificates of the client cannot be used: {getattr(error, 'reason', None) or error.strerror}",
                fix="check WEFT_TLS_CA, WEFT_TLS_CERT and WEFT_TLS_KEY: PEM files, the key without a password",
            ) from error
        if self.cert is None and self.key is not None:
            raise InputError("a key without its certificate", fix="set WEFT_TLS_CERT too")
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        return made
