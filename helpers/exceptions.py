"""The failures that a person can mend: each message is one line that says what, where and what to do."""


class DaybookError(Exception):
    """Raised for an expected failure; the command line prints its message alone, without a traceback."""


class SourceError(DaybookError):
    """Raised when an event log cannot be fetched, opened or read in the UCI layout."""


class ParameterError(DaybookError):
    """Raised when a parameter of a run is unknown, missing or of the wrong type or range."""


class ModelError(DaybookError):
    """Raised when a model cannot be loaded or is asked to predict without the columns that it needs."""


class ClusterError(DaybookError):
    """Raised when a Dask cluster cannot be made, found or reached."""


class ServerError(DaybookError):
    """Raised when the Prefect server cannot be started or reached."""


class RefusedError(ServerError):
    """Raised when the Prefect server answers that it will not do what it was asked."""


class StoreError(DaybookError):
    """Raised when the trial store cannot be opened, or a trial is not fit to be stored."""


class RunError(DaybookError):
    """Raised when a run cannot start or did not complete."""


class ScheduleError(DaybookError):
    """Raised when a schedule, a policy or a schedule file says what cannot be done."""
