# SPDX-License-Identifier: MPL-2.0
"""What the rows of bench/run are made of.

A row is a function `row(bench)` in one of the modules bench/rows_*.py, listed in its `ROWS`, with a docstring
whose first line --help prints. It returns one Row or a list of them (`Bench.row` makes them). For instance:

    def text(bench):
        '''grep-like filter over text lines, against wc -l and memchr'''
        size = bench.size(1 << 30, quick=1 << 26)
        lines = bench.cached(f"lines-{size}.txt", lambda path: make_lines(bench, path, size))
        values, floors = bench.turns(lambda: bench.run([bench.zonda, "run", …]),
                                     lambda: bench.run([bench.program("bench/bench_text_floor"), lines]))
        return bench.row("text", "MB/s", [size / 1e6 / v.seconds for v in values],
                         [size / 1e6 / f.seconds for f in floors], Target(ratio_min=0.7),
                         peak_kib=max(v.peak_kib for v in values))

Value and floor take turns (`turns`), so that a change of the machine's speed meets both. A result that is
wrong raises Failed: a row never reports the speed of a wrong answer. All processes start through this module,
each in a session of its own, and are ended by `end_processes`, whatever happens."""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Failed(Exception):
    """A row that cannot be measured or whose result is wrong; the text says why."""


@dataclasses.dataclass
class Target:
    """What a row is to reach. It is met when ANY of the given bounds holds."""
    value_min: float = None
    value_max: float = None
    ratio_min: float = None
    ratio_max: float = None

    def met(self, value, ratio):
        return any([self.value_min is not None and value >= self.value_min,
                    self.value_max is not None and value <= self.value_max,
                    ratio is not None and self.ratio_min is not None and ratio >= self.ratio_min,
                    ratio is not None and self.ratio_max is not None and ratio <= self.ratio_max])

    def text(self, unit):
        bounds = [("≥", self.value_min, " " + unit), ("≤", self.value_max, " " + unit), ("≥", self.ratio_min, " × floor"),
                  ("≤", self.ratio_max, " × floor")]
        return " or ".join(f"{sign} {number(bound)}{word}" for sign, bound, word in bounds if bound is not None)


@dataclasses.dataclass
class Row:
    """One line of the table and one object of the JSON."""
    row: str                 # the name in ROWS, and a word after it if the row has several: "shuffle skewed"
    unit: str
    value: float             # median of values
    floor: float = None      # median of floors, in the same unit; None: the row has none
    ratio: float = None      # value / floor
    spread: float = 0.0      # (largest - smallest) / median of values
    target: str = ""         # in words
    met: bool = None         # None: the row has no target
    peak_kib: int = None     # largest resident memory of the process, or of the cluster's together
    values: list = dataclasses.field(default_factory=list)
    floors: list = dataclasses.field(default_factory=list)
    extra: dict = dataclasses.field(default_factory=dict)   # other numbers, {"words_with_unit": number}


@dataclasses.dataclass
class Run:
    """What a command used. CPU is user and system time of it and its children; the peak is that of the
    largest one of them."""
    seconds: float
    user: float
    system: float
    peak_kib: int
    stdout: str

    @property
    def cpu(self):
        return self.user + self.system

    def json(self):
        """The one JSON value that the program printed."""
        return json.loads(self.stdout)


def number(value):
    """A number for people: three digits, thousands apart."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def more_is_better(unit):
    """Of speeds more is better; of times, bytes and CPU less is."""
    return unit.endswith("/s")


def size(text):
    """Bytes of 64M and the like."""
    return int(text[:-1]) * UNITS[text[-1]] if text[-1:] in UNITS else int(text)


@contextlib.contextmanager
def environment(**variables):
    """Environment variables for every process that starts inside the `with`."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def spread(values):
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


# Processes that have started and not ended; each leads a process group.
_live = set()


def start(command, **options):
    """subprocess.Popen of a command of strings, paths and numbers, that end_processes ends."""
    process = subprocess.Popen([str(word) for word in command], start_new_session=True, **options)
    _live.add(process)
    return process


def stop(process, sign=signal.SIGTERM, patience=20):
    """Ends a process and what it started."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(sign)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        pass
    end_group(process)


def end_group(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    _live.discard(process)


def end_processes():
    for process in list(_live):
        end_group(process)


def children(pid):
    """Process ids below a process, at any depth."""
    below = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                below += [child, *children(child)]
    return below


def _status(pid, field):
    try:
        match = re.search(field + r":\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
        return int(match[1]) if match else 0
    except OSError:
        return 0


def peak_kib(*pids):
    """Sum of the largest resident memory of each process, which it reached at some time since it started."""
    return sum(_status(pid, "VmHWM") for pid in pids)


def rss_kib(*pids):
    """Resident memory of processes now, together."""
    return sum(_status(pid, "VmRSS") for pid in pids)


def reset_peak(*pids):
    """Makes the peak of processes the memory that they have now."""
    for pid in pids:
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_seconds(*pids):
    """CPU that processes have used since they started, all threads, together. To the nanosecond where the
    kernel counts so, by its ticks where it does not or where threads have ended."""
    total = 0.0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = (int(fields[11]) + int(fields[12])) / TICKS
        fine = 0
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                fine += int((thread / "schedstat").read_text().split()[0])
        total += fine / 1e9 if abs(fine / 1e9 - ticks) < 0.05 + 0.05 * ticks else ticks
    return total


class Cluster:
    """A coordinator and workers on this host, over tcp; slots are processes. Use it in a `with`."""

    def __init__(self, bench, workers=2, slots=1, coordinator_options=(), worker_options=()):
        self.bench = bench
        self.workers = []
        self.coordinator = start([bench.zonda, "coordinator", "--quiet", "--bind", "tcp://127.0.0.1:*",
                                  *coordinator_options], stdout=subprocess.PIPE, text=True)
        words = self.coordinator.stdout.readline().split()
        if len(words) < 2:
            raise Failed("the coordinator did not start")
        self.endpoint = words[1]
        for _ in range(workers):
            self.add_worker(slots, *worker_options)

    def add_worker(self, slots=1, *options):
        worker = start([self.bench.zonda, "worker", "--quiet", "--connect", self.endpoint, "--slots", slots, *options])
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, slots=1, patience=30):
        """Until the coordinator knows all workers, and each has its slots."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            known = self.bench.run([self.bench.zonda, "workers", "--json", "--connect", self.endpoint]).json()
            if len(known) >= len(self.workers) and all(len(children(w.pid)) >= slots for w in self.workers):
                return
            time.sleep(0.05)
        raise Failed("the workers did not register")

    def worker_pids(self):
        """Of the workers and their slots."""
        return [pid for worker in self.workers for pid in (worker.pid, *children(worker.pid))]

    def pids(self):
        return [self.coordinator.pid, *self.worker_pids()]

    def close(self):
        for process in [*self.workers, self.coordinator]:
            stop(process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@dataclasses.dataclass
class Bench:
    """What a row function is given."""
    build: pathlib.Path
    quick: bool = False
    repeat: int = 5
    scratch: pathlib.Path = None   # of this run, removed after it
    inputs: pathlib.Path = None    # kept from run to run

    @property
    def zonda(self):
        return self.program("zonda")

    def program(self, name):
        """Path of a file of the build."""
        path = self.build / name
        if not path.exists():
            raise Failed(f"{path} is not there; build first with scripts/build")
        return path

    def size(self, full, quick):
        """A count or number of bytes: `quick` with --quick, else `full`."""
        return quick if self.quick else full

    def folder(self):
        """A new empty folder in the scratch folder, removed with it."""
        return pathlib.Path(tempfile.mkdtemp(dir=self.scratch))

    def cached(self, name, make):
        """Path of an input that later runs use again; `make(path)` makes it, a file or a folder. The name
        says everything that its content depends on."""
        path = self.inputs / name
        if not path.exists():
            self.inputs.mkdir(parents=True, exist_ok=True)
            self.progress(f"making {name}")
            half = self.inputs / f".{os.getpid()}-{name}"
            try:
                make(half)
                half.rename(path)
            finally:
                if half.is_dir():
                    shutil.rmtree(half)
                else:
                    half.unlink(missing_ok=True)
        return path

    def run(self, command, *, env=None, cwd=None, stdin=subprocess.DEVNULL, stdout=None, timeout=1800, check=True):
        """Runs a command to its end. Its output is in Run.stdout, or in the open file `stdout`. `env` is
        added to the environment. Failed if it does not end with 0."""
        report, path = tempfile.mkstemp(dir=self.scratch)
        os.close(report)
        process = start([self.program("bench/bench_measure"), path, *command], stdin=stdin, cwd=cwd, text=True,
                        stdout=subprocess.PIPE if stdout is None else stdout,
                        env=None if env is None else {**os.environ, **{k: str(v) for k, v in env.items()}})
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(map(str, command))[:200]} did not end within {timeout} s") from None
        finally:
            end_group(process)
        if check and process.returncode != 0:
            raise Failed(f"{' '.join(map(str, command))[:200]} ended with {process.returncode}")
        used = json.loads(pathlib.Path(path).read_text())
        os.unlink(path)
        return Run(stdout=output or "", **used)

    def cluster(self, **options):
        return Cluster(self, **options)

    def turns(self, value, floor=None, repeat=None):
        """Calls floor and value in turns; returns what each gave, two lists."""
        values, floors = [], []
        for i in range(repeat or self.repeat):
            self.progress(f"turn {i + 1} of {repeat or self.repeat}")
            if floor is not None:
                floors.append(floor())
            values.append(value())
        return values, floors

    def row(self, name, unit, values, floors=(), target=None, peak_kib=None, **extra):
        """A Row from single values."""
        value = statistics.median(values)
        floor = statistics.median(floors) if floors else None
        ratio = value / floor if floor else None
        return Row(name, unit, value, floor, ratio, spread(values), target.text(unit) if target else "",
                   target.met(value, ratio) if target else None, peak_kib, list(values), list(floors), extra)

    def progress(self, text):
        """A line for who waits, on stderr."""
        print(f"  {text}", file=sys.stderr, flush=True)
