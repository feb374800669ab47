"""Files fetched over http(s): revalidated, resumed after an interruption, refused rather than silently stale."""

import contextlib
import hashlib
import json
import logging
import os
import re
import socket
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from helpers.exceptions import SourceError
from helpers.home import write_whole

CONNECT_SECONDS = 10.0
TRIES = 3
MINIMUM_BYTES = 1000  # a server that sends less in `stall_seconds` would keep a scheduled run waiting for hours


def fetch(url: str, folder: Path, sha256: str | None = None, stall_seconds: float = 30.0) -> Path:
    """The file at an http(s) address, downloaded into folder unless the copy there is known to be current.

    Parameters
    ----------
    url : str
        The address; `https://user:password@host/…` works, and neither part is written to a file or a message.
    folder : Path
        Where the copy and its record (`….json`) are kept, made if absent.
    sha256 : str, optional
        The published checksum, 64 hexadecimal digits. A copy that has it is used without asking the network; a
        download that has not is refused. By default the server is asked each time whether its file has changed.
    stall_seconds : float, default 30.0
        Seconds without a byte (or with less than 1 kB) after which the server counts as stalled.

    Returns
    -------
    Path
        The copy; it keeps the address's last part, and so its suffix, at the end of its name.

    Raises
    ------
    SourceError
        If the file cannot be had whole and current: one line with the masked address, the cause and the remedy.

    Examples
    --------
    >>> fetch("ftp://example.org/log.csv", Path("cache"))
    Traceback (most recent call last):
    helpers.exceptions.SourceError: ftp://example.org/log.csv is not an http(s) address; give one, or a file's path
    """
    url, sha256 = url.strip(), sha256 and sha256.strip().lower()
    _check_address(url)
    entry = _Entry(url, Path(folder))
    before = entry.read_record()
    if sha256 and before.get("sha256") == sha256:
        return entry.file
    # Imported here: httpx takes over 100 ms, and a published file that is already there needs neither.
    import httpx
    from filelock import FileLock

    try:
        entry.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(entry.beside(".lock")):
            record = entry.read_record()
            # A record that changed while this process waited for the lock was written by one that fetched the same.
            fetched_meanwhile = record != before and (sha256 is None or record.get("sha256") == sha256)
            if not (record and fetched_meanwhile) and _download(url, entry, {} if sha256 else record, stall_seconds):
                entry.keep(url, sha256)
    except (_Failed, httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        old = f"; an older copy, perhaps out of date, is {entry.file}" if before and not sha256 else ""
        raise SourceError(f"{masked(url)} {_reason(error, entry, stall_seconds)}{old}") from error
    return entry.file


def masked(url: str) -> str:
    """The address with `***` for its credentials and for each value of its query, and without its fragment."""
    head, _, query = url.partition("#")[0].partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    query = "&".join(f"{name}=***" if equals else "***" for name, equals, _ in pairs) if query else ""
    return re.sub(r"//[^/]*@", "//***@", head) + (f"?{query}" if query else "")


class _Failed(Exception):
    """Raised inside this module with the words that follow the address in the message."""


class _Entry:
    """One address's files: the copy, its record, and what an unfinished download left."""

    def __init__(self, url: str, folder: Path):
        last = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
        self.name = re.sub(r"[^A-Za-z0-9._-]+", "_", last)[-80:] or "file"
        self.file = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{self.name}"
        self.part = self.beside(".part")

    def beside(self, suffix: str) -> Path:
        return self.file.with_name(self.file.name + suffix)

    def read_record(self) -> dict:
        """What is known of the copy; empty where there is none, or one of another size."""
        record = _read_json(self.beside(".json"))
        return record if self.file.is_file() and self.file.stat().st_size == record.get("size") else {}

    def read_part(self) -> tuple[int, dict]:
        """The bytes that have come and what the server said of the whole."""
        return self.part.stat().st_size if self.part.is_file() else 0, _read_json(self.beside(".part.json"))

    def start_part(self, response) -> None:
        self.forget_part()
        length = response.headers.get("content-length")
        about = {"etag": response.headers.get("etag"), "last_modified": response.headers.get("last-modified")}
        write_whole(self.beside(".part.json"), json.dumps(about | {"total": int(length) if length else None}))

    def forget_part(self) -> None:
        self.part.unlink(missing_ok=True)
        self.beside(".part.json").unlink(missing_ok=True)

    def keep(self, url: str, sha256: str | None) -> None:
        """Put the finished download in the copy's place, if its checksum is the published one."""
        size, about = self.read_part()
        with self.part.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        if sha256 and digest != sha256:
            self.forget_part()
            raise _Failed(f"has the SHA-256 {digest} where {sha256} is expected; check both, nothing was kept")
        # A copy without a record is fetched anew: a crash between these steps pairs no new bytes with old validators.
        self.beside(".json").unlink(missing_ok=True)
        os.replace(self.part, self.file)
        known = {"url": masked(url), "etag": about.get("etag"), "last_modified": about.get("last_modified")}
        now = datetime.now(UTC).isoformat()
        write_whole(self.beside(".json"), json.dumps(known | {"sha256": digest, "size": size, "fetched_at": now}))
        self.forget_part()


def _download(url: str, entry: _Entry, record: dict, stall_seconds: float) -> bool:
    """Bring the unfinished download to its end; False if the server says that the copy of this record is current."""
    import httpx

    # httpx logs every address whole at INFO, and a redirect's or a query's token with it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    timeout = httpx.Timeout(stall_seconds, connect=CONNECT_SECONDS)
    # Asked for as it is: a compressed answer has neither the published checksum nor ranges of the same bytes.
    headers = {"Accept-Encoding": "identity", "User-Agent": "daybook"}
    last_error = "no usable range"
    with httpx.Client(timeout=timeout, headers=headers, follow_redirects=True) as client:
        for _ in range(TRIES):
            try:
                outcome = _attempt(client, url, entry, record, stall_seconds)
            except (httpx.ReadError, httpx.RemoteProtocolError) as error:
                outcome, last_error = "short", str(error)
            if outcome != "short":
                return outcome == "whole"
    got, about = entry.read_part()
    if not got:
        raise _Failed(f"gave no usable answer in {TRIES} tries ({last_error}); check the address or try later")
    of = f" of {about['total']:,}" if about.get("total") else ""
    raise _Failed(f"is incomplete after {TRIES} tries (got {got:,}{of} bytes); fetch it again, it resumes if it can")


def _attempt(client, url: str, entry: _Entry, record: dict, stall_seconds: float) -> str:
    """One request: "unchanged", "whole", or "short" if bytes are missing still."""
    offset, about = entry.read_part()
    # Only a strong validator promises that the bytes to come belong to those that are there.
    resumes = offset > 0 and (about.get("etag") or "W/").startswith('"')
    if resumes:
        headers = {"Range": f"bytes={offset}-", "If-Range": about["etag"]}
    else:
        validators = {"If-None-Match": record.get("etag"), "If-Modified-Since": record.get("last_modified")}
        headers = {name: value for name, value in validators.items() if value}
    with client.stream("GET", url, headers=headers) as response:
        status = response.status_code
        if status == 304 and headers and not resumes:
            return "unchanged"
        if resumes and (status == 416 or (status == 206 and not _continues(response, offset, about))):
            entry.forget_part()
            return "short"
        if status != 200 and not (resumes and status == 206):
            raise _Failed(f"was refused by the server: {status} {response.reason_phrase}; check the address and access")
        if response.headers.get("content-encoding", "identity") != "identity" and not entry.name.endswith("gz"):
            raise _Failed("is sent compressed only; download it by other means and give the file's path")
        if status == 200:
            entry.start_part(response)
        return _receive(response, entry, stall_seconds)


def _continues(response, offset: int, about: dict) -> bool:
    """Whether a partial answer starts where the download stopped, in the same version of the file."""
    given = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("content-range", ""))
    same = response.headers.get("etag", about["etag"]) == about["etag"]
    return bool(given) and same and int(given[1]) == offset and given[2] in ("*", str(about.get("total") or given[2]))


def _receive(response, entry: _Entry, stall_seconds: float) -> str:
    from tqdm import tqdm

    got, about = entry.read_part()
    # ipykernel's stderr is no terminal, and yet a person watches it: None would hide the bar in a notebook.
    disable = False if type(sys.stderr).__module__ == "ipykernel.iostream" else None
    size = {"initial": got, "total": about.get("total"), "unit": "B", "unit_scale": True}
    try:
        with entry.part.open("ab") as file, tqdm(desc=entry.name, disable=disable, **size) as bar:
            since, received = time.monotonic(), 0
            for chunk in response.iter_raw():
                file.write(chunk)
                bar.update(len(chunk))
                received += len(chunk)
                if time.monotonic() - since >= stall_seconds:
                    if received < MINIMUM_BYTES:
                        raise _Failed(f"stalled: {received} bytes in {stall_seconds:g} s; try again later")
                    since, received = time.monotonic(), 0
    except OSError:
        entry.forget_part()  # on a full disk the room matters more than the bytes
        raise
    return "whole" if about.get("total") in (None, entry.part.stat().st_size) else "short"


def _check_address(url: str) -> None:
    with contextlib.suppress(ValueError):  # urlsplit's, for a port or a bracket
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return
        if parts.scheme not in ("http", "https"):
            raise SourceError(f"{masked(url)} is not an http(s) address; give one, or a file's path")
    # Not repeated here: where it cannot be taken apart, it is not known which part is the password.
    raise SourceError("The http(s) address has no valid host or port; percent-encode / ? # @ in a user or password")


def _reason(error: Exception, entry: _Entry, stall_seconds: float) -> str:
    """What went wrong and what to do, to follow the address."""
    import httpx

    root = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__
    match error:
        case _Failed():
            return str(error)
        case OSError():
            where = f"cannot be kept in {entry.file.parent}: {error.strerror or error}"
            return f"{where}; check the folder's free space and permissions"
        case httpx.ConnectTimeout():
            return f"did not answer within {CONNECT_SECONDS:g} s; check the address and the network"
        case httpx.TimeoutException():
            return f"stalled: no byte for {stall_seconds:g} s; try again later"
    match root:
        case ssl.SSLError():
            return f"has no secure connection ({root}); check the address, the clock and the certificates"
        case socket.gaierror():
            return f"has a host that is not found ({root.strerror}); check the address and the network"
        case ConnectionRefusedError():
            return "refused the connection; check the address and that the server runs"
    return f"cannot be fetched ({error}); check the address and the network"


def _read_json(path: Path) -> dict:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}
