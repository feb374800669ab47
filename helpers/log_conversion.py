"""A log of any size turned into a partitioned one, in bounded memory."""

import contextlib
import time
from dataclasses import replace
from pathlib import Path

from helpers import ticket_sources
from helpers.exceptions import SourceError
from helpers.log_writing import (
    EVENT_BYTES,
    GROUP_EVENTS,
    MAX_PARTS,
    PART_EVENTS,
    PartWriter,
    Report,
    WrittenLog,
    check_format,
    whole_folder,
    written,
)
from helpers.masking import mask
from helpers.ticket_log_groups import csv_size, read_groups


def convert(
    source: str,
    out: str | Path,
    format: str = "parquet",
    report: Report = lambda events, share: None,
) -> WrittenLog:
    """Turn a log into a folder of parts with the same rows in the same order.

    Parameters
    ----------
    source : str
        `sample`, `uci`, a path, or an http(s) URL of a zip, CSV or Parquet file, of whatever size.
    out : str or Path
        The folder to be made, which appears whole or not at all.
    format : {"parquet", "csv"}, default "parquet"
        Of the parts, which have 1,048,576 events each, the last one fewer.
    report : callable, optional
        Called with the events written and the share of the source that is read, 0 to 1, after each row group.

    Returns
    -------
    WrittenLog

    Raises
    ------
    SourceError
        When the source is not an event log in the layout, with the messages of `ticket_log.read_log`, or when the
        folder has files already or cannot be written.
    ParameterError
        When the format is none of these.
    """
    check_format(format)
    began, path = time.monotonic(), ticket_sources.source_file(source)
    name = mask(source) if "://" in source else str(path)
    try:
        size = csv_size(path, name, EVENT_BYTES["csv"])
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path}: {reason}; SOURCE is 'sample', 'uci', or the path or URL of one file") from None
    events = 0
    with whole_folder(out, size if format == "csv" else size * EVENT_BYTES[format] // EVENT_BYTES["csv"]) as folder:
        with contextlib.closing(read_groups(path, name, GROUP_EVENTS)) as groups, contextlib.ExitStack() as parts:
            for table, share in groups:
                if events % PART_EVENTS == 0:
                    parts.close()
                    writer = parts.enter_context(PartWriter(folder, _part(events, name), format))
                writer.write(table)
                events += len(table)
                report(events, share)
        log = written(folder, events, began)
    return replace(log, folder=folder.with_suffix(""))


def _part(events: int, name: str) -> int:
    """The place of the part that begins after so many events."""
    if (part := events // PART_EVENTS) < MAX_PARTS:
        return part
    raise SourceError(f"{name}: has more than {MAX_PARTS * PART_EVENTS:,} events; convert it in pieces")
