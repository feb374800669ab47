"""Credentials in URLs: kept out of notebooks, run folders, trials and messages, handed on in the environment alone.

A run records `postgresql+psycopg://me:***@host/db`; the kernel and the workers find what `***` stands for in
`DAYBOOK_SECRETS`, an environment variable that the run sets for them.
"""

import json
import os
import re

MASK = "***"
VARIABLE = "DAYBOOK_SECRETS"
_UNMASKED = r"(?!\*{3}\d*(?:[@&#\s]|$))"
_PASSWORDS = (
    # From a word's beginning: from each of its characters on, a word of 64 kB would cost seconds.
    re.compile(rf"((?<![\w+.-])[\w+.-]*://[^/?#\s:\[]*):{_UNMASKED}[^/?#\s]*@"),
    # A password that is not percent-encoded, which SQLAlchemy takes; on the web a port, and an @ later, is none.
    re.compile(rf"(https?://[^/?#\s:\[]*):(?!\d+[/?#]){_UNMASKED}\S*@"),
    re.compile(rf"((?<![\w+.-])(?!https?:)[\w+.-]*://[^/?#\s:\[]*):{_UNMASKED}\S*@"),
    re.compile(rf"(\A(?!https?:)[\w+.-]*://[^/?#\s:\[]*):{_UNMASKED}.*@", re.DOTALL),
)
_QUERY_VALUE = re.compile(
    rf"(?i)([?&#][\w.-]*(?:token|secret|pass|pwd|signature|sig|key|credential)[\w.-]*)={_UNMASKED}[^&#\s]+"
)


def mask(text: str) -> str:
    """Replace the password and the secret query values of every URL in a text with `***`.

    Examples
    --------
    >>> mask("postgresql+psycopg://me:s3cret@host/db")
    'postgresql+psycopg://me:***@host/db'
    >>> mask("https://host/log.zip?X-Amz-Signature=abc&part=1")
    'https://host/log.zip?X-Amz-Signature=***&part=1'
    """
    for password in _PASSWORDS:
        text = password.sub(rf"\1:{MASK}@", text)
    return _QUERY_VALUE.sub(rf"\1={MASK}", text)


def mask_values(value, secrets: dict[str, str]):
    """Mask every string in nested dicts and lists, noting in `secrets` what each masked string stands for.

    Two strings that differ in their secrets alone are told apart: the second one is masked with `***2`.
    """
    if isinstance(value, dict):
        return {key: mask_values(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(item, secrets) for item in value]
    if not isinstance(value, str):
        return value
    plain = reveal(value)
    masked = value if plain != value else mask(value)
    if masked == plain:
        return value
    number = 2
    while secrets.setdefault(masked, plain) != plain:
        masked = mask(plain).replace(MASK, f"{MASK}{number}")
        number += 1
    return masked


def reveal(text: str) -> str:
    """The text that a masked one stands for, or the text itself."""
    return json.loads(os.environ.get(VARIABLE) or "{}").get(text, text)


def environment(secrets: dict[str, str]) -> dict[str, str]:
    """The variable that lets a child process reveal these, and those that this process can reveal itself."""
    known = json.loads(os.environ.get(VARIABLE) or "{}") | secrets
    return {VARIABLE: json.dumps(known)} if known else {}
