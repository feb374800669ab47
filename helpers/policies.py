"""What a schedule does with ticks that overlap, were missed or failed, with old run folders, and whom it tells."""

import dataclasses
import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from helpers.exceptions import ScheduleError
from helpers.masking import MASK
from helpers.schedules import duration

CHOICES = {"overlap": ("skip", "queue"), "missed": ("latest", "skip", "all")}
DURATIONS = ("retry_delay", "retry_cap", "timeout")


@dataclass(frozen=True)
class Policies:
    """A schedule's policies; made by `parse`, which checks them.

    Attributes
    ----------
    overlap : {"skip", "queue"}
        What a tick does while a run of the notebook is going.
    missed : {"latest", "skip", "all"}
        Which ticks of an outage run afterwards.
    retries : int
        Attempts at a tick after the first one.
    retry_delay, retry_cap : float
        Seconds before the first retry, and what the doubling delay grows to at most.
    timeout : float or None
        Seconds that each run may take as a whole.
    keep : int or None
        How many run folders are kept, 1 or more.
    keep_days : float or None
        For how many days run folders are kept.
    notify : tuple of str
        Apprise URLs, unmasked.
    """

    overlap: str = "skip"
    missed: str = "latest"
    retries: int = 0
    retry_delay: float = 10.0
    retry_cap: float = 600.0
    timeout: float | None = None
    keep: int | None = None
    keep_days: float | None = None
    notify: tuple[str, ...] = ()

    def delay(self, attempt: int) -> float:
        """Seconds to wait once this attempt, 1 or more, has failed.

        Examples
        --------
        >>> [Policies(retry_cap=30.0).delay(attempt) for attempt in (1, 2, 3, 1000)]
        [10.0, 20.0, 30.0, 30.0]
        """
        # Beyond 2**60 any delay has met its cap, and a float would overflow.
        return min(self.retry_delay * 2.0 ** min(attempt - 1, 60), self.retry_cap)

    def described(self) -> dict:
        """The policies as JSON can hold them, with nothing of the URLs but their schemes."""
        return dataclasses.asdict(self) | {"notify": [masked_url(url) for url in self.notify]}


NAMES = tuple(field.name for field in dataclasses.fields(Policies))


def parse(options: Mapping[str, object]) -> Policies:
    """Check policies as a command line or a YAML file gives them.

    Parameters
    ----------
    options : mapping of str to object
        By the names of `Policies`, with `-` or `_`; durations as `schedules.duration` takes them, numbers as such or
        in text. None, or an empty sequence for `notify`, means the default.

    Raises
    ------
    ScheduleError
        For an unknown name, a value that its policy does not take, or a `retry_cap` below `retry_delay`.
    """
    read = {}
    for key, value in options.items():
        name = known_name(key, NAMES)
        if name in read:
            raise ScheduleError(f"{name} is given twice, with - and with _; give it once")
        read[name] = field(name, value)
    policies = Policies(**{name: value for name, value in read.items() if value is not None})
    if policies.retry_cap < policies.retry_delay:
        delays = f"retry_cap ({policies.retry_cap:g} s) is below retry_delay ({policies.retry_delay:g} s)"
        raise ScheduleError(f"{delays}; the delay only grows: raise the cap or lower the delay")
    return policies


def known_name(key: object, names: tuple[str, ...]) -> str:
    """The one of these names that a key means, with `-` or `_`; the nearest is offered otherwise."""
    name = str(key).replace("-", "_")
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
        raise ScheduleError(f"unknown key {str(key)!r}; {hint}")
    return name


def field(name: str, value: object) -> object:
    """One policy's value, checked by itself; None where it is None and so the default's."""
    if value is None:
        return None
    if name in CHOICES:
        return _choice(name, value)
    if name in DURATIONS:
        seconds = duration(value, name)
        if name == "timeout" and seconds == 0:
            raise ScheduleError(f"timeout is {value!r}; leave it out for a run without a limit")
        return seconds
    if name == "notify":
        return tuple(_checked_url(url) for url in ([value] if isinstance(value, str) else _listed(value)))
    return _counted(name, value)


def _choice(name: str, value: object) -> str:
    choices = CHOICES[name]
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value).lower(), choices, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(choices)}"
    raise ScheduleError(f"{name} is {value!r}; {hint}")


def _counted(name: str, value: object) -> int | float:
    kind, least, words = {
        "retries": (int, 0, "a whole number, 0 or more"),
        "keep": (int, 1, "a whole number, 1 or more"),
        "keep_days": (float, 0, "a number of days above 0"),
    }[name]
    try:
        # By way of its text: int(2.5) is 2 and int(True) is 1, but neither text is a whole number.
        number = kind(str(value).strip())
    except ValueError:
        number = -1
    if not least <= number < 10**9 or (kind is float and number == 0):
        raise ScheduleError(f"{name} is {value!r}; it takes {words}")
    return number


def _listed(value: object) -> list:
    if not isinstance(value, list | tuple):
        raise ScheduleError(f"notify is {type(value).__name__}; it takes a list of Apprise URLs")
    return list(value)


def _checked_url(url: object) -> str:
    from apprise import Apprise  # 0.3 s of import, of its plug-ins

    # Its own messages hold the URL, and with it the tokens.
    logger = logging.getLogger("apprise")
    level, known = logger.level, None
    logger.setLevel(logging.CRITICAL + 1)
    try:
        known = Apprise.instantiate(url.strip()) if isinstance(url, str) else None
    finally:
        logger.setLevel(level)
    if known is None:
        raise ScheduleError(f"notify has {masked_url(url)!r}, no URL that Apprise can use; see its wiki for the form")
    return url.strip()


def masked_url(url: object) -> str:
    """An Apprise URL's scheme alone: services have their tokens in any part of what follows.

    Examples
    --------
    >>> masked_url("slack://T123/B456/secret")
    'slack://***'
    """
    scheme, separator, _ = str(url).partition("://")
    return f"{scheme.strip()}://{MASK}" if separator and scheme.strip().isalnum() else MASK
