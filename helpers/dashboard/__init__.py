"""The dashboard: pages that watch trials and runs, live in a browser or exported as plain files."""

from helpers.exceptions import DaybookError


class DashboardError(DaybookError):
    """Raised when the dashboard cannot be served or exported as it was asked."""
