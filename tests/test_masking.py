"""Credentials in URLs: none is left in a masked text, and each masked text leads back to its own secret."""

import json

import pytest

from helpers.masking import VARIABLE, environment, mask, mask_values, reveal


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql+psycopg://me:s3cret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://:s3cret@host/db", "postgresql://:***@host/db"),
        ("postgresql://me:p%40s%2Fs@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://me:p@ss@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@corp:s3cret@host/db", "postgresql://me@corp:***@host/db"),
        ("postgresql://me:a/b?c#d@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:two words@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:!$&'()*+,;=~@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:s3cret@[::1]:5432/db", "postgresql://me:***@[::1]:5432/db"),
        ("postgresql://host/db?user=me&password=s3cret", "postgresql://host/db?user=me&password=***"),
        ("https://me:s3cret@host/log.zip", "https://me:***@host/log.zip"),
        ("https://me:s3/cret@host/log.zip", "https://me:***@host/log.zip"),
        ("https://host/log.zip?access_token=s3cret&part=1", "https://host/log.zip?access_token=***&part=1"),
        ("https://host/log.zip?sv=1&sig=s3%2Bcret&se=2", "https://host/log.zip?sv=1&sig=***&se=2"),
        ("https://host/log.zip#token=s3cret", "https://host/log.zip#token=***"),
        ("from postgresql://a:s3@h/x to https://b:cret@k/", "from postgresql://a:***@h/x to https://b:***@k/"),
    ],
)
def test_masks_every_secret_of_a_url(url, masked):
    """A password or a secret query value becomes `***`, whatever characters it is made of, and nothing else changes."""
    assert mask(url) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "sample",
        "runs/trials.sqlite",
        "sqlite:////data/trials.sqlite",
        "postgresql://me@host:5432/db",
        "https://host:8080/user@example.org/log.zip",
        "https://host/log.zip?mail=a:b@example.org",
        "tcp://127.0.0.1:8786",
        "tls://[::1]:8786",
    ],
)
def test_leaves_what_holds_no_secret(text):
    """A path, a port or an @ after the host is no password."""
    assert mask(text) == text


def test_reveals_in_a_child_what_a_parent_masked(monkeypatch):
    """What was masked in nested parameters is revealed from the variable that is handed on, and nothing without it."""
    url = "postgresql://me:pä/ß%20\"'@host/db"
    secrets = {}
    masked = mask_values({"store": url, "options": {"urls": [url, "sample"], "n": 2}}, secrets)
    assert masked == {
        "store": "postgresql://me:***@host/db",
        "options": {"urls": ["postgresql://me:***@host/db", "sample"], "n": 2},
    }
    assert reveal(masked["store"]) == masked["store"]
    monkeypatch.setenv(VARIABLE, environment(secrets)[VARIABLE])
    assert reveal(masked["store"]) == url
    assert reveal("sample") == "sample"


def test_environment_is_empty_without_secrets():
    """A run that was given no secret hands none on."""
    assert environment({}) == {}


def test_a_child_hands_on_what_it_was_handed(monkeypatch):
    """Secrets of a parent and of this process are both handed on, to a child of a child."""
    monkeypatch.setenv(VARIABLE, json.dumps({"https://a:***@host/": "https://a:1@host/"}))
    secrets = {}
    mask_values("https://b:2@host/", secrets)
    assert json.loads(environment(secrets)[VARIABLE]) == {
        "https://a:***@host/": "https://a:1@host/",
        "https://b:***@host/": "https://b:2@host/",
    }


def test_secrets_with_the_same_masked_text_stay_apart(monkeypatch):
    """Two URLs of a run that differ in their passwords alone get masked texts, and secrets, of their own."""
    urls = ["https://me:one@host/", "https://me:two@host/", "https://me:one@host/", "https://me:three@host/"]
    secrets = {}
    masked = mask_values(urls, secrets)
    assert masked == ["https://me:***@host/", "https://me:***2@host/", "https://me:***@host/", "https://me:***3@host/"]
    assert [mask(url) for url in masked] == masked
    monkeypatch.setenv(VARIABLE, environment(secrets)[VARIABLE])
    assert [reveal(url) for url in masked] == urls
    # The run's own process masks what it was given once more, for the trial.
    assert mask_values(masked, {}) == masked


def test_a_masked_text_that_is_given_keeps_its_secret(monkeypatch):
    """A masked text that the process can reveal is not taken over by a new secret that would look the same."""
    monkeypatch.setenv(VARIABLE, json.dumps({"https://me:***@host/": "https://me:old@host/"}))
    secrets = {}
    masked = mask_values(["https://me:new@host/", "https://me:***@host/"], secrets)
    monkeypatch.setenv(VARIABLE, environment(secrets)[VARIABLE])
    assert [reveal(url) for url in masked] == ["https://me:new@host/", "https://me:old@host/"]
