"""Where the pictures of phantom scans lie."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import StorageError


def phantom_folder(reports: Path, phantom_scan_id: str) -> Path:
    """Folder of the pictures of one scan in the reports of a lake."""
    return reports / "phantoms" / phantom_scan_id


def save_pictures(reports: Path, phantom_scan_id: str, pictures: dict[str, bytes]) -> None:
    """Write the pictures of a scan as ``<name>.png``.

    Raises
    ------
    StorageError
        They cannot be written.
    """
    folder = phantom_folder(reports, phantom_scan_id)
    try:
        for name, png in pictures.items():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.png").write_bytes(png)
    except OSError as error:
        raise StorageError(f"cannot write pictures of phantoms: {error.strerror}") from error
