"""Starting, accounting and stopping processes. Nothing that is started here outlives the bench."""

import atexit
import ctypes
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass

from . import Broken

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.sysconf("SC_NPROCESSORS_ONLN")
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)
_alive: list[subprocess.Popen] = []


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(command: list[str], *, exact: bool = False, **options) -> subprocess.Popen:
    """Starts a process in its own group. `exact` leaves out all that delays the exec (for timing a start)."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=None if exact else _die_with_parent,
        **options,
    )
    _alive.append(process)
    return process


def stop(process: subprocess.Popen, patience: float = 10) -> None:
    """Asks the group to end, then makes it end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    if process in _alive:
        _alive.remove(process)


def stop_all() -> None:
    for process in list(_alive):
        stop(process, patience=2)


def _leave(number, _frame) -> None:
    raise SystemExit(128 + number)


def guard() -> None:
    """From here on every way out of the bench ends what it has started."""
    atexit.register(stop_all)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


def output(what: str, command: list[str]) -> str:
    """What a command prints. Raises Broken where it fails."""
    process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate()
    finally:
        stop(process)
    if process.returncode != 0:
        raise Broken(f"{what} failed: {err.strip()[-500:]}")
    return out


@dataclass
class Usage:
    """What a process and its children have used so far."""

    cpu: float = 0.0  # seconds, user and system
    written: int = 0  # bytes handed to the block layer
    peak: int = 0  # bytes of resident memory at most, summed over the processes
    resident: int = 0  # bytes of resident memory now; shared pages are divided where there are several processes

    def since(self, before: "Usage") -> "Usage":
        return Usage(self.cpu - before.cpu, self.written - before.written, self.peak, self.resident)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _stat(pid: int) -> list[str]:
    # The name in parentheses may hold blanks; the fields after it may not. The first of them is number 3 of proc(5).
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _family(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents.setdefault(int(_stat(int(name))[1]), []).append(int(name))
            except (OSError, IndexError):
                continue
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += parents.get(pid, [])
    return found


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def usage(root: int) -> Usage:
    """Sums over the process and all that descend from it."""
    total = Usage()
    family = _family(root)
    for pid in family:
        try:
            fields = _stat(pid)
            status = _read(f"/proc/{pid}/status")
            total.cpu += sum(int(fields[index]) for index in (11, 12)) / TICK
            if pid == root:
                total.cpu += sum(int(fields[index]) for index in (13, 14)) / TICK
            total.written += _field(_read(f"/proc/{pid}/io"), "write_bytes")
            total.peak += _field(status, "VmHWM") * 1024
            if len(family) == 1:
                total.resident += _field(status, "VmRSS") * 1024
            else:
                total.resident += _field(_read(f"/proc/{pid}/smaps_rollup"), "Pss") * 1024
        except FileNotFoundError:
            continue
    return total


def busy() -> float:
    """CPU seconds that all processes of the machine have used so far."""
    user, nice, system = _read("/proc/stat").split(None, 4)[1:4]
    return (int(user) + int(nice) + int(system)) / TICK


def children() -> float:
    """CPU seconds of all that was started here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wait_until(check, patience: float, what: str, pause: float = 0.002):
    """Calls `check` until it returns something true, which is returned."""
    from . import Broken

    end = time.monotonic() + patience
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise Broken(f"{what}: nothing after {patience:.0f} s")
        time.sleep(pause)
