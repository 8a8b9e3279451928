"""How long certificates are good: said before one is over, while there is time to renew it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from weft.core.clock import Clock
from weft.core.errors import InputError, StorageError, WeftError

_LOG = logging.getLogger("weft.tls")
_MAX_BYTES = 1_048_576
_AGAIN_S = 86_400.0
_FIX = "renew it; new files are taken up without a restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """Until when the certificates in a file are good: the first of them that is over counts. `problem` says why it matters now."""

    setting: str
    file: Path
    until: datetime | None
    over: bool
    problem: str
    fix: str = ""


def validity(setting: str, file: Path, *, now: datetime, warn_days: int) -> Validity:
    """Look into a file that a setting names."""
    try:
        until = _first_end(file)
    except WeftError as error:
        return Validity(setting=setting, file=file, until=None, over=True, problem=error.message, fix=error.fix)
    over = until <= now
    problem = ""
    if over:
        problem = f"a certificate in {file} has been over since {until:%Y-%m-%d %H:%M} UTC"
    elif until - now < timedelta(days=warn_days):
        left = (until - now) // timedelta(days=1)
        when = "today or tomorrow" if left < 1 else f"in {left} day{'' if left == 1 else 's'}"
        problem = f"a certificate in {file} is over {when}, on {until:%Y-%m-%d %H:%M} UTC"
    return Validity(setting=setting, file=file, until=until, over=over, problem=problem, fix=_FIX if problem else "")


def looked_at(files: Mapping[str, Path | None], *, now: datetime, warn_days: int) -> Sequence[Validity]:
    """The same of every file that is set, by the name of its setting."""
    return [validity(name, file, now=now, warn_days=warn_days) for name, file in files.items() if file is not None]


class Reminder:
    """Says in the log of a service, once a day, which of its certificates have to be renewed."""

    def __init__(self, files: Mapping[str, Path | None], clock: Clock, *, warn_days: int) -> None:
        self._files = files
        self._clock = clock
        self._warn_days = warn_days
        self._said: dict[tuple[Path, datetime | None], float] = {}

    def look(self) -> Sequence[Validity]:
        """How it stands with each of them now."""
        now = datetime.fromtimestamp(self._clock.micros() / 1_000_000, UTC)
        return looked_at(self._files, now=now, warn_days=self._warn_days)

    def remind(self) -> None:
        """Say what has not been said for a day."""
        now, found = self._clock.monotonic(), self.look()
        said = {(one.file, one.until): self._said.get((one.file, one.until)) for one in found}
        self._said = {key: at for key, at in said.items() if at is not None}
        for one in found:
            at = self._said.get((one.file, one.until))
            if one.problem and (at is None or now - at >= _AGAIN_S):
                self._said[one.file, one.until] = now
                _LOG.log(
                    logging.ERROR if one.over else logging.WARNING, "%s (%s): %s", one.problem, one.setting, one.fix
                )


def _first_end(file: Path) -> datetime:
    try:
        with file.open("rb") as opened:
            found = load_pem_x509_certificates(opened.read(_MAX_BYTES))
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}", fix="name a file that may be read") from error
    except ValueError as error:
        raise InputError(f"there is no certificate in {file}", fix="give a PEM file") from error
    return min(one.not_valid_after_utc for one in found)
