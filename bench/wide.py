# SPDX-License-Identifier: MPL-2.0
"""Rows of wide operators: records that bench/records.c makes go through `zonda run` with little memory,
in process and on a cluster; the result is checked and the largest memory of the processes is read. The
floor is GNU sort on the same records as lines, with as much memory and as many threads."""
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

MIB = 1024 * 1024
SLOTS = 2
SHARDS = 32
COUNT_AND_SUM = "local n, s = 0, 0 for r in rows do n = n + 1 s = s + r.n end emit({ n = n, s = s })"
ADD_BOTH = "{ n = a.n + r.n, s = a.s + r.s }"


class Failed(Exception):
    pass


def peak_bytes(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024
    except (OSError, TypeError):
        return 0


def children(pid):
    return [int(p) for p in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()]


class Cluster:
    """A coordinator and one worker with two slots, each a process, over tcp."""

    def __init__(self, args, scratch):
        zonda = args.build / "zonda"
        self.coordinator = subprocess.Popen([zonda, "coordinator", "--quiet", "--bind", "tcp://127.0.0.1:*"],
                                            stdout=subprocess.PIPE, text=True)
        self.endpoint = self.coordinator.stdout.readline().split()[1]
        self.worker = subprocess.Popen([zonda, "worker", "--quiet", "--connect", self.endpoint, "--slots", str(SLOTS),
                                        "--memory", args.memory, "--scratch", scratch])

    def peak(self):
        """Of the worker and its slots together."""
        return sum(map(peak_bytes, [self.worker.pid, *children(self.worker.pid)]))

    def close(self):
        for process in (self.worker, self.coordinator):
            process.send_signal(signal.SIGTERM)
            process.wait()


class Site:
    """Where plans run: "inproc" or "cluster"."""

    def __init__(self, args, where):
        self.args = args
        self.scratch = tempfile.mkdtemp(prefix="zonda-bench-", dir=args.scratch)
        self.cluster = Cluster(args, self.scratch) if where == "cluster" else None

    def run(self, *verbs):
        """Seconds, largest memory in bytes and the records of a pipeline."""
        flags = ["--quiet", "--plugin", self.args.build / "bench/bench_records.so"]
        if self.cluster is None:
            flags += ["--slots", str(SLOTS), "--memory", self.args.memory, "--scratch", self.scratch]
        else:
            flags += ["--connect", self.cluster.endpoint]
        start = time.monotonic()
        process = subprocess.Popen([str(w) for w in [self.args.build / "zonda", "run", *flags, *verbs]],
                                   stdout=subprocess.PIPE, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode != 0:
            raise Failed(f"zonda run {' '.join(map(str, verbs))} ended with {process.returncode}")
        peak = self.cluster.peak() if self.cluster is not None else usage.ru_maxrss * 1024
        return time.monotonic() - start, peak, [json.loads(line) for line in output.splitlines()]

    def close(self):
        if self.cluster is not None:
            self.cluster.close()
        left = list(pathlib.Path(self.scratch).iterdir())
        shutil.rmtree(self.scratch)
        if left:
            raise Failed(f"temporary files are left: {left[:3]}")


def expect(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what}: {got} where {wanted} is right")


def check_sorted(shards, count):
    """Shards as the function check of records.c describes them: [first, last, records, sum]."""
    shards = [s for s in shards if s[2] > 0]
    for earlier, later in zip(shards, shards[1:]):
        if earlier[1] > later[0]:
            raise Failed(f"shards overlap: {earlier[1]} > {later[0]}")
    expect("records and sum", (sum(s[2] for s in shards), sum(s[3] for s in shards)),
           (count, count * (count - 1) // 2))


def source(count, function):
    return ["from-range", count, "--shards", SHARDS, "then", "map", "@" + function, "then"]


def run_sort(site, count, function):
    seconds, peak, shards = site.run(*source(count, function), "sort", "k", "then", "map-shard", "@check")
    check_sorted(shards, count)
    return seconds, peak


def run_group_by(site, count, function, key):
    seconds, peak, result = site.run(*source(count, function), "group-by", key, "--reduce", COUNT_AND_SUM, "then",
                                     "reduce", ADD_BOTH)
    expect("records and sum", result, [{"n": count, "s": count * (count - 1) // 2}])
    return seconds, peak


def run_join(site, count):
    """Both sides come from files, as the command line has it, that are not measured."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="zonda-bench-", dir=site.args.scratch))
    try:
        for side in ("left", "right"):
            site.run(*source(count, "pair"), *(["rename", "m=n", "then"] if side == "right" else []), "write",
                     folder / (side + "-{shard:03d}.msgpack"))
        seconds, peak, result = site.run("read", folder / "left-*.msgpack", "then", "join", folder / "right-*.msgpack",
                                         "--on", "k", "--broadcast=false", "then", "filter", "r.n == r.m", "then", "count")
    finally:
        shutil.rmtree(folder)
    expect("pairs", result, [count])
    return seconds, peak


def run_aggregate(site, count):
    seconds, peak, result = site.run(*source(count, "million"), "aggregate", "c=count(),s=sum(n)", "--by", "k", "then",
                                     "aggregate", "n=sum(c),s=sum(s)")
    expect("records and sum", result, [{"n": count, "s": count * (count - 1) // 2}])
    return seconds, peak


def gnu_sort(args, count, function, memory):
    """Seconds that GNU sort takes for the records as lines; None if it is not there."""
    if shutil.which("sort") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="zonda-bench-", dir=args.scratch) as folder:
        subprocess.run([str(w) for w in [args.build / "zonda", "run", "--quiet", "--plugin",
                                         args.build / "bench/bench_records.so", *source(count, function), "write",
                                         folder + "/in-{shard:03d}.txt"]], check=True, stdout=subprocess.DEVNULL)
        start = time.monotonic()
        subprocess.run(["sort", f"--parallel={SLOTS}", "-S", memory, "-T", folder, "-o", folder + "/out",
                        *map(str, sorted(pathlib.Path(folder).glob("in-*.txt")))], check=True,
                       env={**os.environ, "LC_ALL": "C"})
        return time.monotonic() - start


def report(args, name, unit, amount, run, floor_seconds=None):
    """Runs `run(site)` in process and on a cluster; prints a line for each."""
    results = []
    for where in ("inproc", "cluster"):
        site = Site(args, where)
        try:
            runs = [run(site) for _ in range(args.wide_repeat)]
        finally:
            site.close()
        seconds, peak = statistics.median(r[0] for r in runs), max(r[1] for r in runs)
        result = {"row": f"{name} {where}", "unit": unit, "value": amount / seconds, "seconds": [r[0] for r in runs],
                  "peak_bytes": peak, "memory": args.memory}
        words = f"{result['row']:34} {result['value']:14,.1f} {unit:9} "
        if floor_seconds is not None:
            result.update(floor=amount / floor_seconds, ratio=floor_seconds / seconds)
            words += f"floor {result['floor']:12,.1f}  ratio {result['ratio']:6.2f}  "
        print(words + f"peak {peak / MIB:7.1f} MiB  ({SLOTS} slots of {args.memory})", flush=True)
        results.append(result)
    return results


def wide_memory(args):
    count = args.size // 1024
    megabytes = args.size / 1e6
    floor = gnu_sort(args, count, "wide_line", args.memory)
    return (report(args, "wide-memory sort", "MB/s", megabytes, lambda site: run_sort(site, count, "wide"), floor) +
            report(args, "wide-memory group_by", "MB/s", megabytes,
                   lambda site: run_group_by(site, count, "wide", "r.n // 8"), floor))


def sort(args):
    count = args.size // 2 // 100
    floor = gnu_sort(args, count, "short_line", "512M")
    return report(args, "sort", "MB/s", count / 1e4, lambda site: run_sort(site, count, "short"), floor)


def shuffle(args):
    count = args.size // 2 // 1024
    uniform = report(args, "shuffle uniform", "MB/s", count * 1024 / 1e6,
                     lambda site: run_group_by(site, count, "wide", "r.n // 8"))
    return uniform + report(args, "shuffle skewed", "MB/s", count * 1024 / 1e6,
                            lambda site: run_group_by(site, count, "wide", "r.n % 10 == 0 and r.n // 8 or -1"))


def join(args):
    count = args.size // 860
    return report(args, "join", "rows/s", 2 * count, lambda site: run_join(site, count))


def aggregate(args):
    count = args.size // 86
    return report(args, "aggregate", "rows/s", count, lambda site: run_aggregate(site, count))


ROWS = {"wide-memory": wide_memory, "sort": sort, "shuffle": shuffle, "join": join, "aggregate": aggregate}
