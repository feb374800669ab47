"""The heuristic's constants, and scikit-learn regressors read back from skops files."""

import pickle

import numpy as np
import pandas as pd
import pytest

from helpers import models, tickets
from helpers.exceptions import ModelError


def test_the_heuristics_constants():
    """The log's four labels stand for 6, 24, 120 and 240 hours, in seconds."""
    events = pd.DataFrame({"priority": ["1 - Critical", "2 - High", "3 - Moderate", "4 - Low"]}, index=[4, 3, 2, 1])
    predicted = models.PriorityHeuristic().predict(events)
    assert predicted.tolist() == [21_600.0, 86_400.0, 432_000.0, 864_000.0]
    assert predicted.index.tolist() == [4, 3, 2, 1]
    assert models.PriorityHeuristic().num_default_guess(events) == 0


def test_the_samples_labels_are_known():
    """Every priority of the sample has a constant of its own: the labels are spelt as the log spells them."""
    batch = tickets.draw_batch("sample", batch_size=0, seed=1)
    assert set(batch.events["priority"].unique()) == set(models.HOURS_TO_CLOSE)
    assert models.PriorityHeuristic().num_default_guess(batch.events) == 0


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_an_unknown_priority_gets_the_default_guess_and_is_counted(dtype):
    """A missing or unknown priority, "4 - Lower" among them, is guessed as 180 hours and counted."""
    events = pd.DataFrame({"priority": pd.Series(["4 - Lower", None, "", "1 - critical", "2 - High"], dtype=dtype)})
    model = models.PriorityHeuristic()
    assert model.predict(events).tolist() == [648_000.0] * 4 + [86_400.0]
    assert model.num_default_guess(events) == 4


def test_a_batch_without_any_priority_is_guessed():
    """A batch whose priorities are all missing gets the default guess throughout."""
    events = pd.DataFrame({"priority": [None, None]})
    assert models.PriorityHeuristic().predict(events).tolist() == [648_000.0] * 2


@pytest.fixture(scope="module")
def fitted():
    """A pipeline fitted on the sample's events by their priority and number of changes."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(1)
    labels = rng.choice(list(models.HOURS_TO_CLOSE), 300)
    events = pd.DataFrame({"priority": labels, "sys_mod_count": rng.integers(0, 9, 300)})
    target = events["priority"].map(models.HOURS_TO_CLOSE) * 3600.0 + 60.0 * events["sys_mod_count"]
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["priority"]), remainder="passthrough")
    return make_pipeline(encoder, LinearRegression()).fit(events, target)


def _saved(regressor, path):
    import skops.io

    skops.io.dump(regressor, path)
    return path


def test_a_skops_model_predicts_as_before_it_was_saved(fitted, tmp_path):
    """A pipeline that was saved with skops is loaded by its path and predicts the same, categories or not."""
    path = _saved(fitted, tmp_path / "linear.skops")
    model = models.load(str(path))
    assert (model.name, model.columns) == ("linear", ("priority", "sys_mod_count"))
    assert model.version == models.load(str(path)).version
    events = tickets.draw_batch("sample", batch_size=200, seed=1, columns=model.columns).events
    assert isinstance(events["priority"].dtype, pd.CategoricalDtype)
    predicted = model.predict(events)
    np.testing.assert_array_equal(predicted, fitted.predict(events[list(model.columns)].astype({"priority": object})))
    # Fitted on an exact rule, so known by hand: the heuristic's constant and a minute for each change.
    expected = models.PriorityHeuristic().predict(events) + 60.0 * events["sys_mod_count"]
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)
    assert predicted.index.equals(events.index)
    assert model.num_default_guess(events) == 0


def test_a_skops_model_ignores_a_label_that_it_was_not_fitted_on(fitted, tmp_path):
    """An encoder that ignores unknown labels gives a finite prediction for them."""
    model = models.load(str(_saved(fitted, tmp_path / "linear.skops")))
    events = pd.DataFrame({"priority": ["5 - None", None], "sys_mod_count": [1, 1]})
    assert np.isfinite(model.predict(events)).all()


def test_another_model_has_another_version(fitted, tmp_path):
    """The version is the file's content: a model that was fitted anew under the same name is told apart."""
    from sklearn.linear_model import LinearRegression

    path = _saved(fitted, tmp_path / "model.skops")
    before = models.load(str(path)).version
    _saved(LinearRegression().fit(pd.DataFrame({"sys_mod_count": [1, 2]}), [1.0, 2.0]), path)
    assert models.load(str(path)).version != before


def test_an_untrusted_type_is_refused_by_name(tmp_path):
    """A file with a type that skops does not trust is refused, and the message names the type."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    path = _saved(make_pipeline(FunctionTransformer(func=pd.eval)), tmp_path / "untrusted.skops")
    with pytest.raises(ModelError, match=r"untrusted\.skops: holds types that are not trusted: pandas.*eval") as caught:
        models.load(str(path))
    assert "\n" not in str(caught.value)


def test_a_pickle_is_not_run(tmp_path):
    """A pickle that was renamed to .skops is refused, and what it would run does not run."""

    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    path = tmp_path / "pickle.skops"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match=r"pickle\.skops: not a model that skops can read"):
        models.load(str(path))
    assert not (tmp_path / "ran").exists()


def test_a_truncated_file_is_refused(fitted, tmp_path):
    """Half a file, or an empty one, is one line that names it."""
    path = _saved(fitted, tmp_path / "cut.skops")
    content = path.read_bytes()
    for part in (content[: len(content) // 2], b""):
        path.write_bytes(part)
        with pytest.raises(ModelError, match=r"cut\.skops: not a model that skops can read") as caught:
            models.load(str(path))
        assert "\n" not in str(caught.value)


def test_what_is_no_regressor_is_refused(tmp_path):
    """A transformer, a classifier, and a regressor without known columns are refused."""
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y = pd.DataFrame({"sys_mod_count": [0, 1, 2]}), [0, 1, 1]
    for wrong in (StandardScaler().fit(x), LogisticRegression().fit(x, y), LinearRegression().fit(x.to_numpy(), y)):
        path = _saved(wrong, tmp_path / "wrong.skops")
        with pytest.raises(ModelError, match="not a regressor fitted on a DataFrame"):
            models.load(str(path))


@pytest.mark.parametrize("model", ["", "nothing", "missing.skops", "~/missing.skops", "."])
def test_a_model_that_is_not_there_is_refused(model):
    """A name that is neither the heuristic nor a file is one line that says what is possible."""
    with pytest.raises(ModelError, match=r"is neither 'priority' nor the path of a \.skops file"):
        models.load(model)


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ([1.0, np.nan, np.inf], "predicts NaN or infinity for 2 of 3 events"),
        ([[1.0], [2.0], [3.0]], r"predicts shape \(3, 1\) for 3 events"),
        ([1.0], r"predicts shape \(1,\) for 3 events"),
        (["a", "b", "c"], "cannot predict these events: could not convert string to float"),
    ],
)
def test_predictions_that_are_no_numbers_are_refused(fitted, tmp_path, predicted, message):
    """NaN, infinity, another shape or texts are refused before a metric is computed from them."""
    model = models.load(str(_saved(fitted, tmp_path / "bad.skops")))
    model.regressor = type("Regressor", (), {"predict": lambda self, features: np.array(predicted)})()
    events = pd.DataFrame({"priority": ["1 - Critical"] * 3, "sys_mod_count": [1, 2, 3]})
    with pytest.raises(ModelError, match=f"model 'bad' {message}"):
        model.predict(events)


def test_two_targets_are_refused(tmp_path):
    """A real regressor that was fitted on two targets is refused when it predicts."""
    from sklearn.linear_model import LinearRegression

    x = pd.DataFrame({"sys_mod_count": [0, 1, 2]})
    model = models.load(str(_saved(LinearRegression().fit(x, np.zeros((3, 2))), tmp_path / "two.skops")))
    with pytest.raises(ModelError, match=r"model 'two' predicts shape \(3, 2\) for 3 events, not one each"):
        model.predict(x)


def test_a_regressors_own_failure_is_one_line(tmp_path):
    """A regressor that cannot take the events, here for a NaN, says so in its own words."""
    from sklearn.linear_model import LinearRegression

    x = pd.DataFrame({"sys_mod_count": [0.0, 1.0, 2.0]})
    model = models.load(str(_saved(LinearRegression().fit(x, x["sys_mod_count"]), tmp_path / "linear.skops")))
    with pytest.raises(ModelError, match="model 'linear' cannot predict these events: Input X contains NaN") as caught:
        model.predict(pd.DataFrame({"sys_mod_count": [np.nan]}))
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named(fitted, tmp_path):
    """Events without a column that the model needs are refused by the column's name."""
    with pytest.raises(ModelError, match="model 'priority' needs the column 'priority'"):
        models.PriorityHeuristic().predict(pd.DataFrame({"number": ["INC1"]}))
    with pytest.raises(ModelError, match="needs the column 'sys_mod_count'"):
        models.load(str(_saved(fitted, tmp_path / "l.skops"))).predict(pd.DataFrame({"priority": ["2 - High"]}))
