# SPDX-License-Identifier: MPL-2.0
"""Rows of the machinery itself: no-op tasks on clusters, what the coordinator uses, and bulk on its way."""
import shutil
import sqlite3
import statistics
import subprocess
import time

import harness
from harness import Failed, Target


def per_second(bench, *command, what="tasks"):
    """Tasks or bytes per second of a program that prints {"seconds", "tasks"} or the like."""
    result = bench.run(command).json()
    return result[what] / result["seconds"]


def floor_of_sockets(bench, transport, tasks, **options):
    return lambda: per_second(bench, bench.program("bench/bench_floor"), transport, tasks, **options)


def noop_on(bench, cluster, tasks):
    return lambda: per_second(bench, bench.program("bench/bench_noop"), cluster.endpoint, "-", tasks)


def noop_inproc(bench):
    """no-op tasks in one process with 2 slots, against a raw ROUTER with two DEALERs over inproc"""
    tasks = bench.size(10_000_000, quick=200_000)
    runs = []

    def value():
        runs.append(bench.run([bench.program("bench/bench_noop"), "local", 2, tasks]))
        return tasks / runs[-1].json()["seconds"]
    values, floors = bench.turns(value, floor_of_sockets(bench, "inproc", tasks))
    return bench.row("noop-inproc", "tasks/s", values, floors, Target(value_min=2e6),
                     peak_kib=max(r.peak_kib for r in runs), tasks=tasks)


def noop(bench, name="noop", transport="tcp", target=Target(value_min=1e6, ratio_min=1.0), **options):
    """no-op tasks on a coordinator and two workers over tcp, against one raw message each way per task"""
    tasks = bench.size(10_000_000, quick=200_000)
    cpu = []
    with bench.cluster(workers=2, **options) as cluster:
        run = noop_on(bench, cluster, tasks)

        def value():
            before = harness.cpu_seconds(cluster.coordinator.pid)
            speed = run()
            cpu.append((harness.cpu_seconds(cluster.coordinator.pid) - before) / tasks * 1e6)
            return speed
        values, floors = bench.turns(value, floor_of_sockets(bench, transport, tasks))
        return bench.row(name, "tasks/s", values, floors, target, peak_kib=harness.peak_kib(*cluster.pids()),
                         tasks=tasks, coordinator_us_per_task=statistics.median(cpu),
                         coordinator_peak_kib=harness.peak_kib(cluster.coordinator.pid))


def curve(bench):
    """noop with keys, every connection encrypted, that of the floor too"""
    keys = bench.folder() / "keys"
    bench.run([bench.zonda, "keygen", keys])
    with harness.environment(ZONDA_KEYS=keys):
        return noop(bench, "curve", "curve", Target(ratio_min=1.0))


def durable(bench):
    """no-op tasks on a coordinator with a state directory; the floor is a cluster without one"""
    tasks = bench.size(10_000_000, quick=200_000)
    state = bench.folder() / "state"
    with bench.cluster(coordinator_options=["--state", state]) as keeps, bench.cluster() as forgets:
        values, floors = bench.turns(noop_on(bench, keeps, tasks), noop_on(bench, forgets, tasks))
        peak = harness.peak_kib(*keeps.pids())
        used = sum(f.stat().st_size for f in state.iterdir())
    return bench.row("durable", "tasks/s", values, floors, Target(ratio_min=0.9), peak_kib=peak, tasks=tasks,
                     state_kib=used / 1024)


def first_answer(bench, state, tasks):
    """Seconds from the start of a coordinator to its first answer, which must know the stage; and its peak."""
    begin = time.monotonic()
    with bench.cluster(workers=0, coordinator_options=["--state", state]) as cluster:
        jobs = bench.run([bench.zonda, "jobs", "--json", "--connect", cluster.endpoint]).json()
        seconds = time.monotonic() - begin
        if jobs[0]["completed"] != tasks - 1:
            raise Failed(f"the coordinator forgot tasks: {jobs}")
        return seconds, harness.peak_kib(cluster.coordinator.pid)


def read_journal(state):
    """Seconds to read the journal once with SQLite alone."""
    begin = time.monotonic()
    db = sqlite3.connect(f"file:{state}/journal.sqlite", uri=True)
    total = sum(len(notes) for (notes,) in db.execute("SELECT notes FROM journal ORDER BY number"))
    db.close()
    if total == 0:
        raise Failed("the journal is empty")
    return time.monotonic() - begin


def restart(bench):
    """from the start of a coordinator whose state has a big stage to its first answer, against SQLite alone"""
    tasks = bench.size(1_000_000, quick=50_000)
    rows = []
    for kind in ("same", "distinct"):
        made = bench.folder() / "state"
        bench.run([bench.program("bench/bench_restart"), made, tasks, kind])
        peaks = []

        def value():
            state = bench.folder() / "state"
            shutil.copytree(made, state)
            seconds, peak = first_answer(bench, state, tasks)
            peaks.append(peak)
            return tasks / seconds
        values, floors = bench.turns(value, lambda: tasks / read_journal(made))
        rows.append(bench.row(f"restart {kind}", "tasks/s", values, floors, peak_kib=max(peaks), tasks=tasks,
                              seconds=tasks / statistics.median(values)))
    return rows


def serve(*command):
    """A server that prints what its readers need and ends with its input."""
    process = harness.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().split()


def end(server):
    server.communicate(timeout=60)
    harness.end_group(server)


def transfer(bench):
    """a segment from one worker to another over tcp, every block checked, against raw ZeroMQ"""
    program = bench.program("bench/bench_transfer")
    size = bench.size(1_000_000_000, quick=100_000_000)
    folder = bench.folder()
    server, (endpoint, *lengths) = serve(program, "serve", folder, size)
    files, peaks = [], []

    def raw():
        raw_server, (raw_endpoint,) = serve(program, "raw-serve")
        speed = per_second(bench, program, "raw-fetch", raw_endpoint, size, what="bytes") / 1e6
        end(raw_server)
        return speed

    def fetch():
        run = bench.run([program, "fetch", endpoint, "-", *lengths])
        peaks.append(run.peak_kib + harness.peak_kib(server.pid))
        files.append(per_second(bench, program, "fetch", endpoint, folder, *lengths, what="bytes") / 1e6)
        return run.json()["bytes"] / run.json()["seconds"] / 1e6
    values, floors = bench.turns(fetch, raw)
    end(server)
    return bench.row("transfer", "MB/s", values, floors, Target(ratio_min=0.6), peak_kib=max(peaks),
                     as_file=statistics.median(files))


ROWS = {"noop": noop, "noop-inproc": noop_inproc, "curve": curve, "durable": durable, "restart": restart,
        "transfer": transfer}
