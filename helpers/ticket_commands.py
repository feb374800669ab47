"""The commands for event logs, `daybook tickets …`; each reads options and calls the floor that does the work."""

import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator

import click

from helpers.stop_signals import NUMBERS

out = click.option("--out", required=True, metavar="DIR", help="The folder to be made; it appears whole or not at all.")
kind = click.option("--format", default="parquet", show_default=True, metavar="parquet|csv", help="Of the files.")


@click.group()
def tickets() -> None:
    """Event logs of any size: folders of Parquet or CSV files, to be scored in parallel."""


@tickets.command()
@click.option(
    "--incidents", type=int, required=True, metavar="N", help="So many tickets; each has 5.69 events on average."
)
@out
@kind
@click.option("--seed", type=int, default=498, show_default=True, metavar="N", help="The same seed, the same bytes.")
@click.option("--workers", type=int, metavar="N", help="Processes; by default one a core. The bytes are the same.")
@click.option(
    "--incidents-per-file",
    type=int,
    default=175_000,
    show_default=True,
    metavar="N",
    help="A multiple of 5000; 175000 are about a million events.",
)
def make(incidents, out, format, seed, workers, incidents_per_file) -> None:
    """Write a generated log of any number of tickets.

    It begins with the embedded sample, if the seed is the same; 175,000 tickets are a million events.

    Example: daybook tickets make --incidents 2500000 --out tickets-14m
    """
    from helpers.log_making import make as make_log
    from helpers.writing_progress import WritingProgress

    with _stoppable(), WritingProgress() as progress:
        log = make_log(incidents, out, format, seed, workers, incidents_per_file, progress.update)
    print(_in_words("made", log, out))


@tickets.command()
@click.argument("source")
@out
@kind
def convert(source, out, format) -> None:
    """Turn a CSV, zip or Parquet log into a folder.

    The events and their order are the same; the log may be far larger than the memory.

    SOURCE is 'sample', 'uci', or a file's path or http(s) URL. Example: daybook tickets convert uci --out tickets-uci
    """
    from helpers.log_conversion import convert as convert_log  # 1 s of import, with pandas
    from helpers.writing_progress import WritingProgress

    with _stoppable(), WritingProgress() as progress:
        log = convert_log(source, out, format, progress.update)
    print(_in_words("wrote", log, out))


def _in_words(verb: str, log, out: str) -> str:
    files = f"{log.files:,} file{'' if log.files == 1 else 's'}"
    what = f"{verb} {files}, {log.events:,} events, {log.bytes / 1e6:,.1f} MB in {log.seconds:.1f} s"
    following = f"daybook run notebooks/evaluate_ticket_model.ipynb -p source {shlex.quote(out)} -p batch_size 0"
    return f"{what}; next: {following}"


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal end the block in order, so that it leaves nothing."""

    def stop(number: int, _frame) -> None:
        for each in NUMBERS:
            signal.signal(each, signal.SIG_IGN)  # what is left to do is short, and to be done
        print("daybook: stopped; nothing is left of the log", file=sys.stderr)
        sys.exit(128 + number)

    before = {
        number: signal.signal(number, stop) for number in NUMBERS if signal.getsignal(number) != signal.SIG_IGN
    }  # nohup ignores SIGHUP
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
