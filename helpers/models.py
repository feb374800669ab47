"""The models under evaluation: the built-in heuristic "higher priority closes faster", or a scikit-learn regressor."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from helpers.exceptions import ModelError

SECONDS_IN_AN_HOUR = 3600.0
HOURS_TO_CLOSE = {"1 - Critical": 6.0, "2 - High": 24.0, "3 - Moderate": 120.0, "4 - Low": 240.0}
DEFAULT_HOURS_TO_CLOSE = 180.0


class Model(Protocol):
    """What an evaluation asks of a model.

    Attributes
    ----------
    name, version : str
        Recorded in each trial; another version is another model to compare.
    columns : tuple of str
        The log's columns that it predicts from.
    packages : tuple of str
        What must be importable where it predicts, besides pandas.
    """

    name: str
    version: str
    columns: tuple[str, ...]
    packages: tuple[str, ...]

    def predict(self, events: pd.DataFrame) -> pd.Series:
        """Predict the time to close, seconds, float of shape (n_events,)."""

    def num_default_guess(self, events: pd.DataFrame) -> int:
        """How many of the events got a default guess because the model does not know them."""


class PriorityHeuristic:
    """The time to close is a constant for each priority; 180 hours where it is missing or unknown."""

    name = "priority"
    version = "1"
    columns = ("priority",)
    packages = ()

    def predict(self, events: pd.DataFrame) -> pd.Series:
        """Predict the time to close.

        Parameters
        ----------
        events : DataFrame of shape (n_events, n_columns)
            Needs `priority`, with the log's labels such as "4 - Low".

        Returns
        -------
        Series of float, seconds, of shape (n_events,)

        Examples
        --------
        >>> PriorityHeuristic().predict(pd.DataFrame({"priority": ["1 - Critical", None]})).tolist()
        [21600.0, 648000.0]
        """
        _check_columns(self, events)
        hours = _by_label(events["priority"], HOURS_TO_CLOSE, DEFAULT_HOURS_TO_CLOSE)
        return pd.Series(hours * SECONDS_IN_AN_HOUR, index=events.index, name="predicted")

    def num_default_guess(self, events: pd.DataFrame) -> int:
        """How many events have a missing priority, or one without a constant of its own."""
        return int(_by_label(events["priority"], dict.fromkeys(HOURS_TO_CLOSE, False), True).sum())


def _by_label(labels: pd.Series, values: dict, default) -> np.ndarray:
    """The value of each event's label, or the default."""
    # Of a category each label is looked up once, not once an event.
    codes, known = labels.factorize() if labels.dtype != "category" else (labels.cat.codes, labels.cat.categories)
    # A missing label has the code -1, the last place.
    return np.array([*(values.get(label, default) for label in known), default])[np.asarray(codes)]


class SkopsModel:
    """A scikit-learn regressor that was saved with `skops.io.dump`, which unlike pickle runs no code when read.

    Parameters
    ----------
    path : Path
        The `.skops` file. The regressor was fitted on a DataFrame of the log's columns, and predicts seconds.
    """

    packages = ("sklearn", "skops")

    def __init__(self, path: Path):
        try:
            # 1.5 s of import, needed for this kind of model alone.
            import skops.io
            from sklearn.base import is_regressor
        except ImportError as error:
            raise ModelError(f"{path}: where it is to predict, {error.name} is not installed; install skops") from None
        try:
            content = path.read_bytes()
            untrusted = skops.io.get_untrusted_types(data=content)
            if untrusted:
                raise ModelError(f"{path}: holds types that are not trusted: {', '.join(untrusted[:5])}")
            self.regressor = skops.io.loads(content, trusted=[])
        except ModelError:
            raise
        except Exception as error:  # skops raises whatever its parts raise on a damaged file
            raise ModelError(f"{path}: not a model that skops can read ({error}); save it with skops.io.dump") from None
        if not is_regressor(self.regressor) or not hasattr(self.regressor, "feature_names_in_"):
            raise ModelError(f"{path}: not a regressor fitted on a DataFrame, so its columns are not known")
        self.name = path.stem
        self.version = hashlib.sha256(content).hexdigest()[:12]
        self.columns = tuple(str(column) for column in self.regressor.feature_names_in_)

    def predict(self, events: pd.DataFrame) -> pd.Series:
        """Predict the time to close, seconds, float of shape (n_events,), with the regressor as it is.

        Raises
        ------
        ModelError
            When a column is missing, or the regressor fails or gives anything but one finite number for each event.
        """
        _check_columns(self, events)
        features = events[list(self.columns)]
        # Categories become plain strings: a regressor is fitted before anyone knows the labels of a batch.
        features = features.astype(
            {c: object for c in self.columns if isinstance(features[c].dtype, pd.CategoricalDtype)}
        )
        try:
            predicted = np.asarray(self.regressor.predict(features), float)
        except (ValueError, TypeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"model {self.name!r} cannot predict these events: {reason}") from None
        if predicted.shape != (len(events),):
            raise ModelError(
                f"model {self.name!r} predicts shape {predicted.shape} for {len(events)} events, not one each"
            )
        if num_bad := int((~np.isfinite(predicted)).sum()):
            raise ModelError(f"model {self.name!r} predicts NaN or infinity for {num_bad} of {len(events)} events")
        return pd.Series(predicted, index=events.index, name="predicted")

    def num_default_guess(self, events: pd.DataFrame) -> int:
        """Always 0: what the regressor does with labels that it does not know is its own affair."""
        return 0


def _check_columns(model: Model, events: pd.DataFrame) -> None:
    if missing := [column for column in model.columns if column not in events]:
        raise ModelError(f"model {model.name!r} needs the column {missing[0]!r}, which the events lack")


def load(model: str) -> Model:
    """Find the model of this name.

    Parameters
    ----------
    model : str
        `priority`, or the path of a `.skops` file.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        When it is neither, or the file cannot be read or holds a type that is not trusted.
    """
    if model == PriorityHeuristic.name:
        return PriorityHeuristic()
    path = Path(model).expanduser()
    if path.suffix == ".skops" and path.is_file():
        return SkopsModel(path)
    raise ModelError(f"model {model!r} is neither 'priority' nor the path of a .skops file")
