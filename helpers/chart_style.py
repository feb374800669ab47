"""What all charts have in common: two colours, and a legend that hides nothing."""

from bokeh.plotting import figure

BLUE, ORANGE = "#1f77b4", "#c2570c"  # told apart in grey and by the colour-blind; both on white at 4.5 : 1 or more


def legend_above(chart: figure) -> None:
    """Put the legend between the title and the plot, in a line."""
    legend = chart.legend[0]
    chart.add_layout(legend, "above")
    legend.orientation, legend.location = "horizontal", "left"
    legend.border_line_color = legend.background_fill_color = None
    legend.margin, legend.padding, legend.spacing = 0, 2, 16
