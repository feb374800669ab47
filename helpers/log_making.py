"""A generated log of any size, written in parallel processes, each of which holds one row group.

A worker is told one part after the other over a pipe and tells what it has written. The pipe also says when the other
end is gone: no worker outlives its parent, and none dies unnoticed.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from helpers import ticket_sample
from helpers.exceptions import ParameterError, SourceError
from helpers.log_writing import (
    EVENT_BYTES,
    MAX_PARTS,
    PartWriter,
    Report,
    WrittenLog,
    check_format,
    whole_folder,
    written,
)
from helpers.ticket_sample_tables import CHUNK

MAX_INCIDENTS = 1_000_000_000
EVENTS_AN_INCIDENT = 5.69
GROUP_INCIDENTS = 5 * CHUNK  # about 142,000 events
PART_INCIDENTS = 35 * CHUNK  # about 1,000,000 events


@dataclass(frozen=True)
class _Job:
    """What a worker has to know."""

    folder: Path
    format: str
    incidents: int
    part_incidents: int
    seed: int

    @property
    def n_parts(self) -> int:
        return -(-self.incidents // self.part_incidents)

    def write_part(self, part: int) -> Iterator[tuple[int, int]]:
        """Write a part; say after each row group how many events and incidents it has."""
        first, end = part * self.part_incidents, min((part + 1) * self.part_incidents, self.incidents)
        with PartWriter(self.folder, part, self.format) as writer:
            for start in range(first, end, GROUP_INCIDENTS):
                incidents = min(GROUP_INCIDENTS, end - start)
                table = ticket_sample.make_typed_log(incidents, self.seed, start // CHUNK)
                writer.write(table)
                yield len(table), incidents


def make(
    incidents: int,
    out: str | Path,
    format: str = "parquet",
    seed: int = 498,
    workers: int | None = None,
    incidents_per_file: int = PART_INCIDENTS,
    report: Report = lambda events, share: None,
) -> WrittenLog:
    """Write a generated log in the UCI layout as a folder of parts.

    Parameters
    ----------
    incidents : int
        Number of incidents, 1 to 1,000,000,000, with 5.69 events each on average.
    out : str or Path
        The folder to be made, which appears whole or not at all.
    format : {"parquet", "csv"}, default "parquet"
        Of the parts. Those of a CSV log begin with a header each.
    seed : int, default 498
        The log begins with the same incidents as the embedded sample does. The bytes depend on seed, incidents,
        incidents a file and, in Parquet, the version of pyarrow, and on nothing else.
    workers : int, optional
        Number of processes; by default one a core. With one, it is this process.
    incidents_per_file : int, default 175000
        A multiple of 5,000; by default a file has about 1,000,000 events.
    report : callable, optional
        Called with the events written and the share done, 0 to 1, after each row group of each worker.

    Returns
    -------
    WrittenLog

    Raises
    ------
    ParameterError
        When a number or the format is not one of those above.
    SourceError
        When the folder has files already, or there is no space or right to write it.
    """
    job = _Job(Path(), format, incidents, incidents_per_file, seed)
    _check(job, workers)
    began, events, done = time.monotonic(), 0, 0
    n_workers = min(workers or _cores(), job.n_parts)
    expected = int(incidents * EVENTS_AN_INCIDENT * EVENT_BYTES[format])
    with whole_folder(out, expected) as folder:
        job = replace(job, folder=folder)
        alone = (each for part in range(job.n_parts) for each in job.write_part(part))
        with contextlib.closing(alone if n_workers == 1 else _in_parallel(job, n_workers)) as steps:
            for more_events, more_incidents in steps:
                events, done = events + more_events, done + more_incidents
                report(events, done / incidents)
        log = written(folder, events, began)
    return replace(log, folder=folder.with_suffix(""))


def _check(job: _Job, workers: int | None) -> None:
    check_format(job.format)
    if not 1 <= job.incidents <= MAX_INCIDENTS:
        raise ParameterError(f"--incidents is {job.incidents}; give a number from 1 to {MAX_INCIDENTS:,}")
    if job.seed < 0:
        raise ParameterError(f"--seed is {job.seed}; give a whole number from 0 on")
    if workers is not None and not 1 <= workers <= 1000:
        raise ParameterError(f"--workers is {workers}; give a number from 1 to 1,000")
    if job.part_incidents < 1 or job.part_incidents % CHUNK:
        raise ParameterError(f"--incidents-per-file is {job.part_incidents}; give a multiple of {CHUNK:,}")
    if job.n_parts > MAX_PARTS:
        raise ParameterError(
            f"--incidents-per-file is {job.part_incidents}, which makes {job.n_parts:,} files; "
            f"give more, for {MAX_PARTS:,} files at the most"
        )


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_parallel(job: _Job, n_workers: int) -> Iterator[tuple[int, int]]:
    """Write all parts in so many processes; say after each row group how many events and incidents it has."""
    import multiprocessing
    from multiprocessing.connection import wait

    # Not fork: a process with threads, such as Arrow's, must not go on in a copy.
    context = multiprocessing.get_context("spawn")
    parts, pipes, processes = iter(range(job.n_parts)), [], []
    try:
        with _signals_held():
            for _ in range(n_workers):
                mine, theirs = context.Pipe()
                processes.append(context.Process(target=_work, args=(theirs, job), daemon=True))
                processes[-1].start()
                theirs.close()
                pipes.append(mine)
                with contextlib.suppress(ConnectionError):
                    mine.send(next(parts))
        while pipes:
            for pipe in wait(pipes):
                told = _told(pipe)
                if told is None:
                    if (part := next(parts, None)) is None:
                        pipes.remove(pipe)
                    with contextlib.suppress(ConnectionError):  # what is received next says so, too
                        pipe.send(part)
                else:
                    yield told
    finally:
        for process in processes:
            if pipes:  # it has not come to its end
                process.kill()
            process.join()


def _told(pipe) -> tuple[int, int] | None:
    """What a worker says: events and incidents of a row group, or None at the end of a part; its failure is raised."""
    try:
        told = pipe.recv()
    except (EOFError, ConnectionError):
        raise SourceError("a process that wrote the log was killed, perhaps for its memory; give --workers 1") from None
    if isinstance(told, OSError):
        raise told
    return told


def _work(pipe, job: _Job) -> None:
    """Write the parts that are asked for, in a process of its own, until there are no more or nobody listens."""
    with contextlib.suppress(EOFError, ConnectionError):
        try:
            for part in iter(pipe.recv, None):
                for told in job.write_part(part):
                    pipe.send(told)
                pipe.send(None)
        except ConnectionError:
            raise
        except OSError as error:
            pipe.send(error)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Let processes start that ignore Ctrl-C, as they get it along with their parent, which then ends them."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else it is started by the first process, and lets the signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
