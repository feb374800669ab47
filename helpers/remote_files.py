"""Files wherever they lie, local or remote by fsspec: listed, and read by ranges of bytes; failures are one line."""

import contextlib
import functools
import glob
import os
import socket
from collections.abc import Iterator

from helpers.exceptions import SourceError
from helpers.masking import MASK, mask, reveal

GLOB = "*?["
# botocore would wait 60 s for a connection, five times over; FSSPEC_S3 in the environment may say otherwise.
S3_CLIENT = {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2}}


def is_remote(source: str) -> bool:
    """Whether a source, its credentials revealed, is the URL of a file system; a web address is none."""
    protocol, separator, _ = source.strip().partition("://")
    return bool(separator) and protocol.lower() not in ("http", "https")


def connect(source: str) -> tuple["LocalFiles | RemoteFiles", str]:
    """Find the file system of a source.

    Parameters
    ----------
    source : str
        A local path, or a URL that fsspec knows (`s3://bucket/log`, `gs://…`, `file://…`), masked or not. Options come
        from the environment, as the URL's driver reads them.

    Returns
    -------
    LocalFiles or RemoteFiles
    str
        The source's path in it.

    Raises
    ------
    SourceError
        When the URL's driver is missing, its scheme unknown, or its password not known here.
    """
    plain = reveal(source).strip()
    if not is_remote(plain):
        return LocalFiles(), os.path.abspath(os.path.expanduser(plain))
    if f"{MASK}@" in plain:
        raise SourceError(f"{mask(plain)}: its password is not known here; set DAYBOOK_SECRETS for the workers, too")
    with failures(mask(plain)):
        files, path = file_system(plain, os.getpid())
    # Imported here: fsspec takes 70 ms, s3fs 300 ms, and a local log needs neither.
    from fsspec.implementations.local import LocalFileSystem

    return (LocalFiles(), path) if isinstance(files, LocalFileSystem) else (RemoteFiles(files), path)


@functools.lru_cache(maxsize=8)
def file_system(url: str, pid: int):
    """The driver of a URL, one for a process: fsspec itself makes one for each thread, at 0.3 s for S3."""
    from fsspec.core import url_to_fs

    return url_to_fs(url, **_options(url))


def _options(url: str) -> dict:
    """What a driver is told besides what it reads from the environment: to give up in bounded time."""
    if not url.startswith(("s3://", "s3a://")):
        return {}
    from fsspec.config import conf

    return {"config_kwargs": S3_CLIENT | conf.get("s3", {}).get("config_kwargs", {})}


@contextlib.contextmanager
def failures(name: str) -> Iterator[None]:
    """Say what a file system raises in one line that begins with `name`."""
    try:
        yield
    except SourceError:
        raise
    except FileNotFoundError as error:
        where = f"it is not there, seen from {socket.gethostname()}{_detail(error)}"
        raise SourceError(f"{name}: {where}; check the path, and keep a log in place until its run ends") from None
    except PermissionError as error:
        raise SourceError(f"{name}: no right to read it{_detail(error)}; mend its rights or the credentials") from None
    except ImportError as error:
        package = "gcsfs" if name.startswith(("gs:", "gcs:")) else "s3fs" if name.startswith("s3") else ""
        remedy = f"pip install {package}" if package else _one_line(error)
        raise SourceError(f"{name}: the package that reads it is not installed; {remedy}, on workers too") from None
    except Exception as error:  # each driver has errors of its own; a bug in one is no reason for a traceback either
        raise SourceError(f"{name}: cannot be read ({_one_line(error)}); check the address and the network") from None


def _detail(error: OSError) -> str:
    """What a remote driver adds in words; an operating system's error adds its number alone."""
    return "" if error.errno and error.filename else f" ({_one_line(error)})"


def _one_line(error: Exception) -> str:
    return mask(" ".join(str(error).split()))[:200] or type(error).__name__


class LocalFiles:
    """Files of this machine, or of a folder that the workers share."""

    is_remote = False

    def is_glob(self, path: str) -> bool:
        """Whether a path is a pattern; a file that is called like one is itself."""
        return any(letter in path for letter in GLOB) and not os.path.lexists(path)

    def name(self, path: str) -> str:
        """What messages call a file."""
        return path

    def listed(self, path: str) -> dict[str, int]:
        """The sizes of the files of a directory, of a glob's matches, or of the one file, by their paths."""
        with failures(path):
            if os.path.isdir(path):
                found = [entry.path for entry in os.scandir(path) if entry.is_file()]
            elif self.is_glob(path):
                found = [match for match in glob.glob(path, recursive=True) if os.path.isfile(match)]
            else:
                found = [path]
            return {file: os.path.getsize(file) for file in found}

    def read(self, path: str, start: int, stop: int) -> bytes:
        """The bytes of a range; fewer where the file ends before."""
        with failures(path), open(path, "rb") as file:
            file.seek(start)
            return file.read(stop - start)


class RemoteFiles:
    """Files of an fsspec file system."""

    is_remote = True

    def __init__(self, files):
        self.files = files

    def is_glob(self, path: str) -> bool:
        """Whether a path is a pattern."""
        return any(letter in path for letter in GLOB)

    def name(self, path: str) -> str:
        """What messages call a file: its URL, without credentials."""
        return mask(self.files.unstrip_protocol(path))

    def listed(self, path: str) -> dict[str, int]:
        """The sizes of the files of a directory, of a glob's matches, or of the one file, by their paths."""
        with failures(self.name(path)):
            self.files.invalidate_cache()
            found = (
                self.files.glob(path, detail=True).values() if self.is_glob(path) else self.files.ls(path, detail=True)
            )
            return {file["name"]: file["size"] for file in found if file["type"] == "file"}

    def read(self, path: str, start: int, stop: int) -> bytes:
        """The bytes of a range; fewer where the file ends before."""
        with failures(self.name(path)):
            return self.files.cat_file(path, start=start, end=stop)

    def read_ranges(self, path: str, ranges: list[tuple[int, int]]) -> dict[int, bytes]:
        """The bytes of several ranges, asked for at once, by where they start."""
        with failures(self.name(path)):
            starts, stops = zip(*ranges, strict=True)
            chunks = self.files.cat_ranges([path] * len(ranges), list(starts), list(stops), on_error="raise")
            return dict(zip(starts, chunks, strict=True))
