"""Credentials in URLs: kept out of notebooks, run folders, trials and messages, handed on in the environment alone.

A run records `postgresql+psycopg://me:***@host/db`; the kernel and the workers find what `***` stands for in
`DAYBOOK_SECRETS`, an environment variable that the run sets for them.
"""

import json
import os
import re

MASK = "***"
VARIABLE = "DAYBOOK_SECRETS"
_PASSWORD = re.compile(r"(?<=://)([^/@?#\s]*?):([^/?#\s]*)@")
_QUERY_VALUE = re.compile(
    r"(?i)([?&][\w.-]*(?:token|secret|password|passwd|signature|sig|key|credential)[\w.-]*)=[^&#\s]+"
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
    return _QUERY_VALUE.sub(rf"\1={MASK}", _PASSWORD.sub(rf"\1:{MASK}@", text))


def mask_values(value, secrets: dict[str, str]):
    """Mask every string in nested dicts and lists, noting in `secrets` what each masked string stands for."""
    if isinstance(value, dict):
        return {key: mask_values(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(item, secrets) for item in value]
    if isinstance(value, str) and mask(value) != value:
        secrets[mask(value)] = value
        return mask(value)
    return value


def reveal(text: str) -> str:
    """The text that a masked one stands for, or the text itself."""
    return json.loads(os.environ.get(VARIABLE) or "{}").get(text, text)


def environment(secrets: dict[str, str]) -> dict[str, str]:
    """The variable that lets a child process reveal these, and those that this process can reveal itself."""
    known = json.loads(os.environ.get(VARIABLE) or "{}") | secrets
    return {VARIABLE: json.dumps(known)} if known else {}
