"""The page of what goes on now: runs, schedules, what is wrong, the plots of live clusters."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from helpers import dashboard_links
from helpers.dashboard.now_status import status_of
from helpers.dashboard.pages import Page
from helpers.dashboard.run_rows import GOING


class NowPage(Page):
    """The page."""

    template = "now.html.j2"

    async def get(self) -> None:
        """Answer with the page."""
        now = await asyncio.to_thread(status_of(self.state.runs).read)
        index = self.state.runs
        self.write_page(
            self.template,
            "now",
            now=now,
            number=len(index.runs()),
            is_loading=index.is_loading,
            index_problem=index.problem,
        )


class RunningFragment(NowPage):
    """The part of the page above the plots."""

    template = "now_live.html.j2"


class SchedulesFragment(NowPage):
    """The part of the page below the plots."""

    template = "now_schedules.html.j2"


class PlotsPage(Page):
    """The plots of the cluster of a run: a page of its own, to be embedded, whose policy names what it embeds."""

    async def get(self) -> None:
        """Answer with the page."""
        facts = self.state.runs.get(self.get_query_argument("run", ""))
        link = None
        if facts and facts["state"] in GOING:
            link = await asyncio.to_thread(dashboard_links.of_run, Path(facts["folder"]))
        plots = dashboard_links.plots_of(link) if link else []
        self.write_page("now_plots.html.j2", "now", plots=plots, link=link, sources=_origins(plots))


def _origins(plots: list[tuple[str, str]]) -> list[str]:
    """What the page may frame besides this server: nothing that could end a directive of its policy."""
    found = {f"{place.scheme}://{place.netloc}" for place in (urlsplit(url) for _, url in plots) if place.netloc}
    return sorted(origin for origin in found if not set(origin) & set(" ;,'\"\t\r\n"))


PATTERNS = (
    (r"/now", NowPage),
    (r"/now/live", RunningFragment),
    (r"/now/schedules", SchedulesFragment),
    (r"/now/plots", PlotsPage),
)
