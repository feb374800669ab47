"""`daybook dashboard`: the pages that watch trials and runs."""

import os
from pathlib import Path

import click

EXPORTED_RUNS = 100


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="To listen on; 0, the default, for a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="To listen on; a token is asked for elsewhere.")
@click.option("--prefix", default="", metavar="/PATH", help="Of all addresses, behind a proxy.")
@click.option(
    "--origin", "origins", multiple=True, metavar="HOST:PORT", help="Under which it is reached too; repeat for more."
)
@click.option("--store", default="", metavar="URL", help="A SQLite path or a postgresql+psycopg URL.")
@click.option("--open/--no-open", "is_opened", default=False, help="Open it in this machine's browser.")
@click.option(
    "--export", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write plain files instead of serving."
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=EXPORTED_RUNS,
    show_default=True,
    metavar="N",
    help="With --export: so many runs and trials with pages and reports, the newest.",
)
def dashboard(port, host, prefix, origins, store, is_opened, folder, last) -> None:
    """Watch trials and runs in a browser.

    Example: daybook dashboard --port 8790
    """
    from helpers.dashboard.state import DashboardState
    from helpers.trials import TrialStore

    state = DashboardState(TrialStore(store))
    if folder is not None:
        from helpers.dashboard.export import export  # as below

        print(export(state, folder, last).in_words(), flush=True)
        return
    from helpers.dashboard.server import make_server  # Bokeh takes 1 s to import
    from helpers.dashboard_logs import log_to_stderr

    log_to_stderr()
    server = make_server(state, port, host, prefix, origins)
    print(f"dashboard at {server.link(host)}", flush=True)
    if is_opened:
        click.launch(server.link(host))
    server.run()
    # Not by Python's own way out, which waits for threads in which a store does not answer.
    os._exit(0)
