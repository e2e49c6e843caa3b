"""Where a data set's files come from: a local folder, the cache, or (when asked) the publisher. Loads no torch.

Whatever the way, the bytes are those that were checked before: the sha256 of the decompressed file is compared.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError

FOLDER_VARIABLE = "GNOMON_DATA"
_SECONDS = 60  # without an answer from the publisher
_MOST_BYTES = 200_000_000  # no file of these data sets is half as large


@dataclass(frozen=True, slots=True)
class File:
    """One file of a data set.

    Attributes:
        name: the publisher's name, and the name in the cache.
        url: where the publisher has it, plain or in gzip.
        sha256: of the decompressed bytes that are known to be good.
        aliases: other names it goes by.
        prepare: what is done to the publisher's bytes before they are checked and kept; does nothing to its own result.
    """

    name: str
    url: str
    sha256: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    prepare: Callable[[bytes], bytes] = bytes


def fetch(dataset: str, file: File, folder: Path | str | None = None, *, download: bool = False) -> bytes:
    """The decompressed bytes of a file.

    Looks into `folder`, or else into the data set's folder under $GNOMON_DATA and into the cache
    ($XDG_CACHE_HOME/gnomon, ~/.cache/gnomon); then, with download=True (on the command line: --download), asks the
    publisher and keeps the file there.

    Raises:
        DataError: the file is nowhere, cannot be fetched, or is not the file that is known.
    """
    cache = cache_folder() / dataset
    places = [Path(folder)] if folder is not None else [*_from_environment(dataset), cache]
    found = next((path for place in places for path in _candidates(place, file) if path.is_file()), None)
    if found is not None:
        return _checked(file.prepare(_unzipped(_read(found), str(found))), file, str(found))
    if folder is not None or not download:
        raise DataError(_advice(dataset, file, places, folder is not None))
    content = _checked(file.prepare(_unzipped(_ask(file.url), file.url)), file, file.url)
    _keep(cache / file.name, content)
    return content


def cache_folder() -> Path:
    """Where downloads are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gnomon"


def _from_environment(dataset: str) -> list[Path]:
    folder = os.environ.get(FOLDER_VARIABLE)
    return [Path(folder) / dataset] if folder else []


def _candidates(place: Path, file: File) -> list[Path]:
    return [place / (name + ending) for name in (file.name, *file.aliases) for ending in ("", ".gz")]


def _advice(dataset: str, file: File, places: list[Path], named: bool) -> str:
    missing = f"{dataset}: no {file.name} (or {file.name}.gz) in {' or '.join(map(str, places))}"
    if named:
        return f"{missing}; get it from {file.url}, or name no folder and let it be downloaded (--download)"
    return (
        f"{missing}; let it be downloaded (--download), or get it from {file.url} and name the folder above "
        f"{dataset}/ in {FOLDER_VARIABLE}"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; give a file that can be read") from error


def _unzipped(content: bytes, source: str) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source}: the gzip file is damaged ({error}); get it again") from error


def _checked(content: bytes, file: File, source: str) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    if digest not in file.sha256:
        raise DataError(
            f"{source}: the sha256 {digest[:12]}… is not that of {file.name} ({file.sha256[0][:12]}…): the file is "
            f"damaged or another version; get it again from {file.url}"
        )
    return content


def _ask(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "gnomon"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            content = answer.read(_MOST_BYTES + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise DataError(f"{url} cannot be fetched ({error}); get it by another way and name its folder") from error
    if len(content) > _MOST_BYTES:
        raise DataError(f"{url} sends more than {_MOST_BYTES:,} bytes, which is not the file; get it by another way")
    return content


def _keep(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
