"""The file of a backup: a tar inside zstd, at its end a manifest with every digest. Called by backup.py and restore.py.

A backup that was cut off has no manifest, one that was changed has other digests: either is refused before anything is used.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from app.upkeep.contents import MANIFEST
from engine.errors import BadInput, DataError

FORMAT = 1
MANIFEST_MAX = 64 << 20  # bytes
PIECE = 1 << 20
ABOUT = {"format", "files", "home_id", "made_ms", "program", "revision", "data", "mode"}  # what every manifest says
DAMAGED = "it is damaged, or no backup of Nightdesk"


class Copied(NamedTuple):
    """A file of a backup."""

    sha256: str
    size: int


class Writer:
    """Adds files to a backup that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar, self.files = tar, dict[str, Copied]()

    def add(self, name: str, descriptor: int, size: int) -> None:
        """The first `size` bytes of an open file. Raises DataError when it has become shorter."""
        reader = _Digesting(descriptor, size)
        try:
            self._tar.addfile(_header(name, size), reader)
        except OSError as error:
            if reader.left and error.errno is None:  # tarfile's own, of a source that ends early
                raise DataError(f"{name} became shorter while it was copied", "try again") from error
            raise
        self.files[name] = Copied(reader.digest.hexdigest(), size)

    def close(self, about: Mapping[str, Any]) -> None:
        """The manifest: what `about` says, and every file."""
        listed = {name: copied._asdict() for name, copied in self.files.items()}
        text = json.dumps({"format": FORMAT, **about, "files": listed}, indent=1, sort_keys=True).encode()
        self._tar.addfile(_header(MANIFEST, len(text)), io.BytesIO(text))


class _Digesting(io.RawIOBase):
    """Reads the first bytes of a descriptor, whose position nobody else may move, and digests them."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._at, self.left, self.digest = descriptor, 0, size, sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer where the file ends."""
        wanted = self.left if size < 0 else min(size, self.left)
        data = os.pread(self._descriptor, wanted, self._at)
        self._at, self.left = self._at + len(data), self.left - len(data)
        self.digest.update(data)
        return data


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header


@contextmanager
def written(file: BinaryIO) -> Iterator[Writer]:
    """A Writer whose files end in `file`, which stays open. Raises OSError of the disk."""
    import pyarrow as pa

    sink = pa.PythonFile(_Kept(file), mode="w")
    with pa.CompressedOutputStream(sink, "zstd") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        yield Writer(tar)


class _Kept(io.RawIOBase):
    """A file that a library may close without closing it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """All of it, or OSError."""
        self._file.write(data)
        return len(data)


def unpacked(path: Path, take: Callable[[str, int], BinaryIO]) -> dict[str, Any]:
    """Read a backup whole, each file into what `take` gives for its name and size; its manifest, whose digests fit what was read.

    Raises BadInput for a file that is no backup, was cut off or was changed; OSError of the disk that `take` writes to.
    """
    import pyarrow as pa

    found: dict[str, Copied] = {}
    manifest: dict[str, Any] = {}
    fault = BadInput(f"{path} cannot be used: {DAMAGED}", "take another backup")
    try:
        source = pa.OSFile(str(path), "rb")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}", "name the file of a backup") from error
    try:
        with source, pa.CompressedInputStream(source, "zstd") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for header in tar:
                data = tar.extractfile(header)
                if data is None or manifest or header.name in found or not _inside(header.name):
                    raise fault
                if header.name == MANIFEST:
                    read = json.loads(data.read(MANIFEST_MAX))
                    if not isinstance(read, dict):
                        raise fault
                    manifest = read
                    continue
                with take(header.name, header.size) as target:
                    found[header.name] = _copied(data, target)
    except (tarfile.TarError, pa.ArrowException, ValueError, EOFError, RecursionError) as error:
        raise fault from error
    except OSError as error:
        if error.errno is None:  # pyarrow's own, of what it unpacks
            raise fault from error
        raise
    listed = manifest.get("files")
    if (
        not set(manifest) >= ABOUT
        or not isinstance(listed, dict)
        or listed != {name: copied._asdict() for name, copied in found.items()}
    ):
        raise fault
    if manifest.get("format") != FORMAT:
        raise BadInput(f"{path} has format {manifest.get('format')!r}, this version reads {FORMAT}", "update Nightdesk")
    return manifest


def _inside(name: str) -> bool:
    """Whether a name leads to a place below the folder that it is unpacked in."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _copied(source: Any, target: BinaryIO) -> Copied:
    digest, size = sha256(), 0
    while piece := source.read(PIECE):
        target.write(piece)
        digest.update(piece)
        size += len(piece)
    return Copied(digest.hexdigest(), size)


class Nowhere(io.BytesIO):
    """Takes what is only to be digested."""

    def write(self, data: Any) -> int:
        """All of it, and keeps nothing."""
        return len(data)


def remove(path: Path) -> None:
    """Remove a file, if it is there and can be."""
    with suppress(OSError):
        path.unlink()
