"""A partition of a log: what a worker needs to know to read it."""

from dataclasses import dataclass, field

from helpers.exceptions import SourceError


class DamagedFileError(SourceError):
    """Raised when a Parquet file cannot be decoded; one of the cache can be written again."""


@dataclass(frozen=True)
class Partition:
    """A piece of a log that is read at once: a range of row groups of a Parquet file, or of bytes of a CSV file.

    Attributes
    ----------
    source : str
        The log that it is of, without credentials; what they are is found in the environment.
    name : str
        What error messages call the file.
    path : str
        The file in its file system.
    kind : str
        `parquet` or `csv`.
    size : int
        Of the file, in bytes.
    stamp : str
        Digest of the file's last 64 kB, by which a file that was replaced is known.
    start, stop : int
        The range: row groups, or bytes.
    first_row : int or None
        The file's events before the range; None in a CSV file, but for the first range.
    num_rows : int or None
        Events in the range; None for CSV, where they are not known until it is read.
    header : str, default ""
        The header line of a CSV file.
    is_remote : bool, default False
        Whether the file is reached through fsspec.
    url : str, default ""
        The log's URL with its credentials, only where the environment does not say what they are.
    """

    source: str
    name: str
    path: str
    kind: str
    size: int
    stamp: str
    start: int
    stop: int
    first_row: int | None
    num_rows: int | None
    header: str = ""
    is_remote: bool = False
    url: str = field(default="", repr=False)


@dataclass(frozen=True)
class PartitionedLog:
    """A log as partitions, in the log's order.

    Attributes
    ----------
    source : str
        The source as it was asked for, without credentials.
    sha256 : str
        What tells the log from another, 64 hexadecimal digits: a fingerprint (see `log_partitions.open_log`), or of a
        source that is in the cache the digest of its bytes.
    partitions : tuple of Partition
        At least one.
    """

    source: str
    sha256: str
    partitions: tuple[Partition, ...]

    @property
    def num_rows(self) -> int | None:
        """Events in the log, or None where they are not known until it is read."""
        counts = [partition.num_rows for partition in self.partitions]
        return None if None in counts else sum(counts)
