"""Two machines on this one: each with a network, processes and a /tmp/ray of its own."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ADDRESSES = ("192.0.2.1", "192.0.2.2")
"""Of the first machine, as docs/howto/cluster.md has it, and of the second."""


class Machine:
    """Namespaces that hold whatever runs in them; what is started there ends with them."""

    def __init__(self, first: str) -> None:
        self._first = first

    def run(self, command: str, folder: Path, environment: dict[str, str]) -> str:
        """Run a command of bash; its output, which the failure of a test shows."""
        # Not what this machine knows of a cluster of its own.
        known = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        inside = ["nsenter", "-t", self._first, "-n", "-p", "-m", "bash", "-ec"]
        done = subprocess.run(
            [*inside, f"cd {shlex.quote(str(folder))}; {command}"],
            env=known | environment, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def move_here(self, link: str, address: str) -> None:
        """Take one end of a cable, and give it an address."""
        subprocess.run(["ip", "link", "set", link, "netns", self._first], check=True)
        self.run(
            f"ip link set lo up; ip addr add {address}/24 dev {link}; ip link set {link} up; "
            f"ip route add default dev {link}",  # by which Ray learns the machine's own address
            Path("/"), {},
        )  # fmt: skip


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Two machines with a cable between them; the test is skipped where that is not allowed."""
    if missing := [name for name in ("unshare", "nsenter", "ip") if shutil.which(name) is None]:
        pytest.skip(f"no namespaces here: {', '.join(missing)} not installed")
    with ExitStack() as stack:
        machines = stack.enter_context(_machine()), stack.enter_context(_machine())
        links = [f"ev{os.getpid() % 10**6}{side}" for side in "ab"]
        cable = ["ip", "link", "add", links[0], "type", "veth", "peer", "name", links[1]]
        made = subprocess.run(cable, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"no network between namespaces here: {made.stderr.strip()}")
        for machine, link, address in zip(machines, links, ADDRESSES, strict=True):
            machine.move_here(link, address)
        yield machines


@contextmanager
def _machine() -> Iterator[Machine]:
    # Its first process is a shell, which takes leave of what has ended: `ray stop` waits for that.
    inside = "mkdir -p /tmp/ray && mount -t tmpfs none /tmp/ray && echo ready && sleep 900; :"
    apart = ["unshare", "--net", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child"]
    process = subprocess.Popen(
        [*apart, "bash", "-c", inside], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        if process.stdout.readline() != "ready\n":
            process.kill()
            pytest.skip(f"no namespaces here: {shlex.quote(process.stderr.read().strip())}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Machine(children[0])
    finally:
        process.kill()  # and with it the first process of the namespace, and so all of them
        process.wait()
