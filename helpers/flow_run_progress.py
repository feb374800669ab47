"""How far a run is, on the page of its flow run: an artifact that is kept up to date while the notebook runs.

The run's own process does it, over HTTP, for it alone knows of the cells; it has not imported Prefect, and need not.
"""

import base64
import http.client
import json
import os
import threading
import urllib.request

from helpers.masking import mask

KEY = "progress"
FIRST_SECONDS = 2.0  # a run that ends sooner has nothing to show, and costs the server nothing
SECONDS_BETWEEN = 2.0
REQUEST_SECONDS = 2.0
LAST_SECONDS = 1.0  # for the last one, at the run's end
NOTE_CHARACTERS = 200


class FlowRunProgress:
    """Tells a Prefect server how far a run is, from a thread of its own; a server that does not answer fails no run.

    Parameters
    ----------
    url : str
        The API's address. Where it asks for it, `PREFECT_API_KEY` or `PREFECT_API_AUTH_STRING` is shown.
    flow_run : str
        The flow run's id.

    Attributes
    ----------
    problem : str or None
        Why the server could not be told, in one line.
    """

    def __init__(self, url: str, flow_run: str):
        self.problem: str | None = None
        self._url = f"{url.rstrip('/')}/artifacts/"
        self._flow_run = flow_run
        self._artifact: str | None = None
        self._told: dict | None = None
        self._wanted: dict | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def show(self, done: int, cells: int, note: str | None = None) -> None:
        """Have the page show that so many code cells of so many are done, and what the next one says of itself."""
        words = f"{done} of {cells} cells done"
        if note:
            words += f"; the next one says `{_in_a_line(note)}`"  # in Markdown; nothing in code is a tag
        self._wanted = {"data": round(100 * done / max(cells, 1), 1), "description": words}
        if self._thread is None:
            self._thread = threading.Thread(target=self._tell_all, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Tell the last of it, for `LAST_SECONDS` at most."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)

    def _tell_all(self) -> None:
        has_ended = self._ended.wait(FIRST_SECONDS)
        if has_ended:
            return
        while not has_ended:
            self._tell()
            has_ended = self._ended.wait(SECONDS_BETWEEN)
        self._tell()

    def _tell(self) -> None:
        wanted = self._wanted
        if wanted == self._told:
            return
        try:
            if self._artifact is None:
                facts = {"key": KEY, "type": "progress", "flow_run_id": self._flow_run}
                self._artifact = self._asked("POST", "", facts | wanted)["id"]
            else:
                self._asked("PATCH", self._artifact, wanted)
            self._told = wanted
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:  # the next may pass
            self.problem = mask((str(error).strip() or type(error).__name__).splitlines()[0])

    def _asked(self, method: str, path: str, body: dict) -> dict | None:
        """The server's answer, where it has one."""
        headers = {"Content-Type": "application/json"} | _authorization()
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers, method=method)
        here = "//127.0.0.1" in self._url or "//localhost" in self._url
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if here else None))
        with opener.open(request, timeout=REQUEST_SECONDS) as answer:
            return json.loads(answer.read() or b"null")


def _authorization() -> dict[str, str]:
    """What Prefect's own client would show of the same variables."""
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if words := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}
    return {}


def _in_a_line(note: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in note[:NOTE_CHARACTERS])
    return line.replace("`", "'").strip() or "-"
