"""What all charts have in common: two colours, axes of time, names that fit, and a legend that hides nothing."""

from collections.abc import Iterable

from bokeh.models import Axis
from bokeh.plotting import figure

BLUE, ORANGE = "#1f77b4", "#c2570c"  # told apart in grey and by the colour-blind; both on white at 4.5 : 1 or more
# Of logarithmic axes of time, in hours: tickets take from minutes to months.
TICKS = {1 / 30: "2 min", 1: "1 h", 6: "6 h", 24: "1 d", 120: "5 d", 720: "30 d"}
NAME_LENGTH = 20  # characters of a name at an axis; a longer one would leave a narrow chart no room


def legend_above(chart: figure) -> None:
    """Put the legend between the title and the plot, in a line."""
    legend = chart.legend[0]
    chart.add_layout(legend, "above")
    legend.orientation, legend.location = "horizontal", "left"
    legend.border_line_color = legend.background_fill_color = None
    legend.margin, legend.padding, legend.spacing = 0, 2, 16


def label_times(axis: Axis) -> None:
    """Give a logarithmic axis in hours its ticks."""
    axis.ticker, axis.major_label_overrides = list(TICKS), TICKS


def names_of(groups: Iterable[str | None]) -> dict[str | None, str]:
    """What groups are called at an axis: no two alike, none too long, the one without a name `missing`."""
    names: dict[str | None, str] = {}
    for group in groups:
        name = str(group) if group else "missing"
        name = name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"
        alike = sum(name == other or other.startswith(f"{name} #") for other in names.values())
        names[group] = f"{name} #{alike + 1}" if alike else name
    return names
