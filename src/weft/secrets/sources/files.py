"""Secrets as files of one folder, as containers are given them."""

from __future__ import annotations

from pathlib import Path

from weft.core.errors import AuthError, PolicyError

_MOST = 65_536


class Files:
    """Files of `folder`, and nothing outside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> str:
        """What is in the file, without the line's end behind it.

        Raises:
            PolicyError: it leads out of the folder.
            AuthError: it cannot be read, or is no text.
        """
        try:
            root = self._folder.resolve()
            path = (root / key).resolve()
            if not path.is_relative_to(root) or path == root:
                raise PolicyError(f"{key!r} leads out of the folder of secrets", fix="name a file in secrets.folder")
            with path.open("rb") as file:
                text = file.read(_MOST + 1)
            if len(text) > _MOST:
                raise AuthError(f"the secret file {key!r} is too large", fix=f"it may have {_MOST} bytes")
            return text.decode().removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            raise AuthError(
                f"the secret file {key!r} cannot be read", fix="check secrets.folder and the name"
            ) from error
