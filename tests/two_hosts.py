"""Three machines on one: network namespaces for a hub and two hosts, joined by a bridge that nothing else is on."""

import os
import shutil
import subprocess
from typing import Self

NETWORK = "10.231.77"  # exists in these namespaces alone, so that no other network can be in its way


class TwoHosts:
    """The namespaces, from `with` to its end.

    Attributes
    ----------
    hub : str
        The hub's address; the bridge stands there.
    hosts : dict of str to str
        The addresses of the hosts "a" and "b".
    """

    hub = f"{NETWORK}.1"
    hosts = {"a": f"{NETWORK}.2", "b": f"{NETWORK}.3"}  # noqa: RUF012

    def __init__(self):
        self._names = {name: f"daybook-{os.getpid()}-{name}" for name in ("hub", *self.hosts)}

    @staticmethod
    def reason_against() -> str | None:
        """Why there can be none here; None where there can."""
        if not shutil.which("ip"):
            return "network namespaces need the program ip (Debian: apt-get install iproute2)"
        name = f"daybook-{os.getpid()}-try"
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
        if made.returncode:
            return f"network namespaces cannot be made here: {made.stderr.strip()}"
        tried = subprocess.run(["ip", "-n", name, "link", "add", "x", "type", "bridge"], capture_output=True, text=True)
        _ip("netns", "del", name)
        return f"no bridge can be made here: {tried.stderr.strip()}" if tried.returncode else None

    def on(self, name: str) -> list[str]:
        """What stands before a command that is to run on the hub or a host."""
        return ["ip", "netns", "exec", self._names[name]]

    def cut(self, host: str) -> None:
        """Take the host off the network: packets to it and from it vanish, nobody is told."""
        _ip("-n", self._names["hub"], "link", "set", f"to-{host}", "down")

    def join(self, host: str) -> None:
        """Put the host on the network again."""
        _ip("-n", self._names["hub"], "link", "set", f"to-{host}", "up")

    def __enter__(self) -> Self:
        try:
            for name in self._names.values():
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            hub = self._names["hub"]
            _ip("-n", hub, "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
            _ip("-n", hub, "address", "add", f"{self.hub}/24", "dev", "bridge")
            _ip("-n", hub, "link", "set", "bridge", "up")
            for host, address in self.hosts.items():
                self._wire(host, address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wire(self, host: str, address: str) -> None:
        hub, name = self._names["hub"], self._names[host]
        _ip("-n", hub, "link", "add", f"to-{host}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("-n", hub, "link", "set", f"to-{host}", "master", "bridge", "up")
        _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")

    def __exit__(self, *error) -> None:
        # With a namespace go its links, and the other ends of those.
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
