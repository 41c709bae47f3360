"""Where the files lie that belong to the program but are no Python: migrations and templates."""

from __future__ import annotations

from pathlib import Path

from digest.errors import DigestError


def data_dir(name: str) -> Path:
    """The folder ``name``: ``digest/_<name>`` in an installed wheel, ``<checkout>/<name>`` otherwise.

    Raises DigestError where neither is there: the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / f"_{name}", package.parents[1] / name):
        if folder.is_dir():
            return folder
    raise DigestError(f"{package}: the folder of {name} is missing: install digest again")
