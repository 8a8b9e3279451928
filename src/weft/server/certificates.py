"""TLS: the certificates of the service, taken up anew when their files change, with no connection cut."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from cryptography.x509 import load_pem_x509_certificates

from weft.core.errors import AuthError, InputError, StorageError, WeftError
from weft.core.settings_model import Server

_LOG = logging.getLogger("weft.server.tls")
_LOOK_S = 1.0
"""The files are looked at when somebody connects, so often at most."""
_MAX_BYTES = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    cert: Path
    key: Path
    clients: Path | None

    def marks(self) -> tuple[tuple[int, int, int], ...]:
        """What differs when one of them was replaced."""
        found = [path.stat() for path in (self.cert, self.key, self.clients) if path is not None]
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


class Certificates:
    """What a service shows, and whose certificates it asks for; `context` serves new connections with what was read last.

    Raises:
        WeftError: the files cannot be read, do not fit together, or hold a certificate that is not valid now.
    """

    def __init__(self, cert: Path, key: Path, clients: Path | None) -> None:
        self._files = _Files(cert=cert, key=key, clients=clients)
        self._lock = threading.Lock()
        self._looked_at = time.monotonic()
        self._marks = self._now()
        self._current = self._read()
        self.told: Callable[[bool], object] = lambda _: None
        """Is told when files have changed: whether they were taken up. It may be called in any thread."""
        self.context = _context(self._files)
        self.context.sni_callback = self._chosen

    def refresh(self) -> bool:
        """Take up files that have changed; says whether there was anything to take up. What was read before stays when they are unfit."""
        with self._lock:
            if time.monotonic() < self._looked_at + _LOOK_S:
                return False
            self._looked_at = time.monotonic()
            try:
                marks = self._now()
                if marks == self._marks:
                    return False
                self._marks = marks
                self._current = self._read()
            except WeftError as error:
                _LOG.error("the new certificate is not used, the one before stays: %s", error.message)
                self.told(False)
                return False
            _LOG.warning("a new certificate is in use, from %s", self._files.cert)
            self.told(True)
            return True

    def for_grpc(self) -> Any:
        """The same for gRPC."""

        def config() -> Any:
            files = self._files
            root = files.clients.read_bytes() if files.clients is not None else None
            return grpc.ssl_server_certificate_configuration([(files.key.read_bytes(), files.cert.read_bytes())], root)

        def fetch() -> Any:
            return config() if self.refresh() else None

        return grpc.dynamic_ssl_server_credentials(
            config(), fetch, require_client_authentication=self._files.clients is not None
        )

    def _chosen(self, connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
        del name, first
        self.refresh()
        connection.context = self._current

    def _now(self) -> tuple[tuple[int, int, int], ...]:
        try:
            return self._files.marks()
        except OSError as error:
            raise _unreadable(error) from error

    def _read(self) -> ssl.SSLContext:
        try:
            made = _context(self._files)
            with self._files.cert.open("rb") as file:
                leaf = load_pem_x509_certificates(file.read(_MAX_BYTES))[0]
        except ssl.SSLError as error:
            raise InputError(
                f"the certificate and the key do not fit: {error.reason or 'no PEM'}",
                fix="give a PEM file with the certificate and its chain, and the key for it without a password",
            ) from error
        except ValueError as error:
            raise InputError(f"there is no certificate in {self._files.cert}", fix="give a PEM file") from error
        except OSError as error:
            raise _unreadable(error) from error
        now = datetime.now(UTC)
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            since, until = leaf.not_valid_before_utc, leaf.not_valid_after_utc
            raise AuthError(
                f"the certificate in {self._files.cert} is valid from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC, and not now",
                fix="renew it, or set the clock of this machine",
            )
        return made


def certificates(settings: Server) -> Certificates | None:
    """What the settings say; None is a service without TLS.

    Raises:
        WeftError: as for `Certificates`, or only a part is set.
    """
    if settings.tls_cert is None and settings.tls_key is None and settings.tls_clients is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise InputError("a certificate and its key go together", fix="set server.tls_cert and server.tls_key")
    return Certificates(settings.tls_cert, settings.tls_key, settings.tls_clients)


def _context(files: _Files) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(files.cert, files.key, password=lambda: "")
    made.set_alpn_protocols(["http/1.1"])
    if files.clients is not None:
        made.load_verify_locations(files.clients)
        made.verify_mode = ssl.CERT_REQUIRED
        # A session that is taken up again is not asked for its certificate anew: there are none.
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        made.num_tickets = 0
        made.options |= ssl.OP_NO_TICKET
    return made


def _unreadable(error: OSError) -> WeftError:
    return StorageError(f"cannot read {error.filename}: {error.strerror}", fix="name files that the service may read")
