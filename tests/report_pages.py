"""Reports on small notebooks, written and parsed."""

import json
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup

from helpers.reports import write_html
from helpers.runs import FIELDS

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def run_facts(**facts) -> dict:
    """The facts of a run that completed."""
    return dict.fromkeys(FIELDS) | {"run": "run-1", "state": "completed", "parameters": {}} | facts


def displayed(data: dict, **options):
    """What a cell displays."""
    return nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}} | options)


def page_of(
    folder: Path, cells: list, run: dict | None = None, trial: object = None, name: str = "nb.html", **options
) -> BeautifulSoup:
    """The report on a notebook of these cells, parsed; the trial is written beside it."""
    if trial is not None:
        (folder / "trial.json").write_text(trial if isinstance(trial, str) else json.dumps(trial))
    metadata = options.pop("metadata", {})
    notebook = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells})
    write_html(notebook, folder / name, run or run_facts(), **options)
    return BeautifulSoup((folder / name).read_text(), "html.parser")


def chart_outputs(title: str = "</script><!-- a title") -> list:
    """The outputs of a cell that shows a Bokeh chart, as `bokeh.io.show` puts them out."""
    from bokeh.embed.notebook import notebook_content
    from bokeh.plotting import figure

    chart = figure(width=300, height=200, title=title)
    chart.line([1, 2, 3], [3, 1, 2])
    script, div, _ = notebook_content(chart)
    return [displayed({"text/html": div}), displayed({"application/javascript": script, "text/plain": ""})]


def rows_of(table) -> list[list[str]]:
    """The texts of a table's cells."""
    return [[cell.get_text() for cell in row(["th", "td"])] for row in table("tr")]
