"""The command line of `bench/run`."""

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import Broken, cases, load, procs, report, servers

ROOT = servers.BENCH.parent


def arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Starts Stowage and its peers in turn on this machine and prints what they reach, as ratios.",
    )
    parser.add_argument("--list", action="store_true", help="list the cases and leave")
    parser.add_argument("--only", metavar="NAME", action="append", help="run this case (again for more; commas too)")
    parser.add_argument("--rounds", type=int, default=3, help="alternations of each case (3)")
    parser.add_argument("--seconds", type=float, default=4, help="length of each run (4)")
    parser.add_argument("--stowage", type=Path, metavar="FILE", help="this binary, instead of building one")
    parser.add_argument("--tusd", metavar="FILE", help="a tusd binary (otherwise one on the PATH, if any)")
    parser.add_argument(
        "--without", metavar="PEER", action="append", default=[], help="leave out nginx, fastify or tusd"
    )
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="where the data goes: a real disk (bench/.work)")
    parser.add_argument("--env", metavar="KEY=VALUE", action="append", default=[], help="a setting for Stowage")
    parser.add_argument("--save", type=Path, metavar="FILE", help="also write the table, as Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every single value, as JSON")
    options = parser.parse_args()
    chosen = [name for group in options.only or [] for name in group.split(",")]
    for name in chosen:
        if name not in names:
            parser.error(f"no case is called {name}; there are {', '.join(names)}")
    for peer in options.without:
        if peer not in ("nginx", "fastify", "tusd"):
            parser.error(f"no peer is called {peer}")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    if any("=" not in pair for pair in options.env):
        parser.error("--env wants KEY=VALUE")
    options.only = chosen or names
    return options


def build() -> Path:
    """The release binary of this checkout, built if need be."""
    print("cargo build --release …", flush=True)
    if subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT).returncode != 0:
        raise Broken("the build failed")
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "stowage"


def run_of(command: list[str]) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else ""


def file_system(folder: Path) -> tuple[str, str]:
    """The type and options of what `folder` is mounted on."""
    best = ("", "", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split()
        inside = str(folder) == point or str(folder).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind, options)
    return best[1], best[2]


def heading(stand: cases.Stand, options: argparse.Namespace) -> str:
    processor = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    kind, mount = file_system(stand.work)
    journal = ", no journal" if kind == "ext4" and not any(Path("/proc/fs/jbd2").glob("*")) else ""
    commit = run_of(["git", "rev-parse", "--short=10", "HEAD"])
    changed = " with changes" if commit and run_of(["git", "status", "--porcelain", "-uno"]) else ""
    peers = []
    if stand.nginx:
        peers.append(run_of([stand.nginx, "-v"]).replace("nginx version: ", "") or "nginx")
    if stand.fastify:
        lock = json.loads((servers.BENCH / "peers/fastify/package-lock.json").read_text())
        version = lock["packages"]["node_modules/fastify"]["version"]
        peers.append(f"Fastify {version} on Node.js {run_of(['node', '--version'])}")
    if stand.tusd:
        peers.append(f"tusd {run_of([stand.tusd, '-version'])}".strip())
    return "\n".join(
        [
            f"- {datetime.date.today()}, commit {commit or 'unknown'}{changed}",
            f"- {processor or platform.machine()}, {procs.CORES} cores, {memory:.0f} GiB, Linux {platform.release()}",
            f"- data on {kind}{journal} ({mount})",
            f"- beside {', '.join(peers) or 'nobody'}",
            f"- {options.rounds} rounds of {options.seconds:g} s; load average before {os.getloadavg()[0]:.2f}",
        ]
    )


def limits() -> None:
    """Room for the sockets of a run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))


def stand_for(options: argparse.Namespace) -> cases.Stand:
    load.compile_programs()
    binary = (options.stowage or build()).resolve()
    if not binary.is_file():
        raise Broken(f"{binary} is not there")
    nginx = None if "nginx" in options.without else servers.find_nginx()
    if nginx is None and "nginx" not in options.without:
        print("nginx is not installed (Debian: apt install nginx-light): its comparisons are left out")
    reason = "left out" if "fastify" in options.without else servers.install_fastify()
    if reason and reason != "left out":
        print(f"no Fastify receiver: {reason}")
    tusd = None if "tusd" in options.without else options.tusd or shutil.which("tusd")
    if options.tusd and not Path(options.tusd).is_file():
        raise Broken(f"{options.tusd} is not there")
    parent = (options.dir or servers.BENCH / ".work").resolve()
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob("run-*-*"):
        # Of a bench that was killed: one that runs has its process.
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=parent))
    # Folders below this one are then spread over the disk, far from what was deleted of late; on ext2 to
    # ext4, that is: elsewhere it does nothing.
    if shutil.which("chattr"):
        subprocess.run(["chattr", "+T", str(work)], capture_output=True)
    if file_system(work)[0] in ("tmpfs", "overlay"):
        print(f"{work} lies on {file_system(work)[0]}, which is no disk: choose another with --dir")
    if shutil.disk_usage(work).free < 30 * 2**30:
        print(f"less than 30 GiB are free under {parent}: a long run may fill them")
    settings = dict(pair.split("=", 1) for pair in options.env)
    return cases.Stand(work, options.rounds, options.seconds, binary, settings, nginx, not reason, tusd)


def main() -> int:
    known = cases.all_cases()
    options = arguments(list(known))
    if options.list:
        for name, (what, _) in known.items():
            print(f"{name:20} {what}")
        return 0
    procs.guard()
    limits()
    try:
        stand = stand_for(options)
    except Broken as broken:
        print(f"bench: {broken}", file=sys.stderr)
        return 2
    rows: list[report.Row] = []
    broken_cases: list[str] = []
    try:
        head = heading(stand, options)
        print(head, flush=True)
        for name in options.only:
            print(f"\n{name}: {known[name][0]}", flush=True)
            try:
                rows += known[name][1](stand)
            except Broken as broken:
                broken_cases.append(name)
                print(f"    {name} could not be measured: {broken}", flush=True)
        finish(rows, broken_cases, head, options)
    except KeyboardInterrupt:
        print("\nbench: stopped", file=sys.stderr)
        return 130
    finally:
        procs.stop_all()
        shutil.rmtree(stand.work, ignore_errors=True)
    return 1 if broken_cases or any(row.passes() is False for row in rows) else 0


def finish(rows: list[report.Row], broken_cases: list[str], head: str, options: argparse.Namespace) -> None:
    notes = []
    if load.foreign > 0.05:
        notes.append(
            f"Processes other than the server and the load, the kernel's own among them, took up to"
            f" {load.foreign * 100:.0f} % of this machine during a run."
        )
    notes += [f"`{name}` could not be measured." for name in broken_cases]
    text = report.table(rows) + "".join(f"\n\n{note}" for note in notes)
    print(f"\n{text}", flush=True)
    if options.save:
        options.save.write_text(f"# Results of `bench/run`\n\n{head}\n\n{text}\n")
    if options.json:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")
