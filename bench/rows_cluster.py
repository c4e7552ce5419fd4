# SPDX-License-Identifier: MPL-2.0
"""Rows of the machinery itself: no-op tasks on clusters, what the coordinator uses, and bulk on its way."""
import re
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


def noop_on(bench, cluster, tasks, kind="same"):
    return lambda: per_second(bench, bench.program("bench/bench_noop"), cluster.endpoint, "-", tasks, kind)


def noop_inproc(bench):
    """no-op tasks in one process with 2 slots, against a raw ROUTER with two DEALERs over inproc"""
    tasks = bench.size(10_000_000, quick=200_000)
    runs = []

    def value():
        runs.append(bench.run([bench.program("bench/bench_noop"), "local", 2, tasks, "same"]))
        return tasks / runs[-1].json()["seconds"]
    values, floors = bench.turns(value, floor_of_sockets(bench, "inproc", tasks))
    return bench.row("noop-inproc", "tasks/s", values, floors, Target(value_min=2e6),
                     peak_kib=max(r.peak_kib for r in runs), tasks=tasks)


def noop_row(bench, name, kind, tasks, target, transport="tcp"):
    """Tasks per second of a coordinator and two workers with a slot each, and the coordinator's share."""
    of_coordinator, of_all = [], []
    with bench.cluster(workers=2) as cluster:
        cluster.wait_for_workers()
        program = bench.program("bench/bench_noop")

        def value():
            before = harness.cpu_seconds(cluster.coordinator.pid), harness.cpu_seconds(*cluster.pids())
            run = bench.run([program, cluster.endpoint, "-", tasks, kind])
            of_coordinator.append((harness.cpu_seconds(cluster.coordinator.pid) - before[0]) / tasks * 1e6)
            of_all.append((harness.cpu_seconds(*cluster.pids()) - before[1] + run.cpu) / tasks * 1e6)
            return tasks / run.json()["seconds"]
        values, floors = bench.turns(value, floor_of_sockets(bench, transport, tasks))
        return bench.row(name, "tasks/s", values, floors, target, peak_kib=harness.peak_kib(*cluster.pids()),
                         tasks=tasks, cpu_us_per_task=statistics.median(of_all),
                         coordinator_us_per_task=statistics.median(of_coordinator),
                         coordinator_peak_kib=harness.peak_kib(cluster.coordinator.pid))


def noop(bench):
    """no-op tasks on a coordinator and two workers over tcp, against one raw message each way per task"""
    return noop_row(bench, "noop", "same", bench.size(10_000_000, quick=200_000),
                    Target(value_min=1e6, ratio_min=1.0))


def noop_distinct(bench):
    """the same with an argument and a result of 64 bytes that no other task has, all of them checked"""
    return noop_row(bench, "noop-distinct", "distinct", bench.size(1_000_000, quick=50_000), Target(value_min=5e5))


def curve(bench):
    """noop with keys, every connection encrypted, that of the floor too"""
    keys = bench.folder() / "keys"
    bench.run([bench.zonda, "keygen", keys])
    with harness.environment(ZONDA_KEYS=keys):
        return noop_row(bench, "curve", "same", bench.size(2_000_000, quick=200_000), Target(ratio_min=1.0), "curve")


def coordinator_cpu(bench, cluster):
    """Microseconds of the coordinator's CPU per no-op task."""
    tasks = bench.size(10_000_000, quick=1_000_000)
    run = noop_on(bench, cluster, tasks)

    def value():
        before = harness.cpu_seconds(cluster.coordinator.pid)
        run()
        return (harness.cpu_seconds(cluster.coordinator.pid) - before) / tasks * 1e6
    values, _ = bench.turns(value)
    return bench.row("coordinator cpu", "µs/task", values, target=Target(value_max=1.0), tasks=tasks)


def stage_is_there(bench, endpoint, tasks):
    jobs = bench.run([bench.zonda, "jobs", "--json", "--connect", endpoint]).json()
    return any(job.get("total") == tasks for job in jobs)


def growth(bench, kind, tasks, workers):
    """Bytes per task by which a coordinator grows when it has them, all queued or all done."""
    with bench.cluster(workers=workers) as cluster:
        coordinator = cluster.coordinator.pid
        if workers > 0:
            noop_on(bench, cluster, 1000, kind)()
        before = harness.rss_kib(coordinator)
        driver = harness.start([bench.program("bench/bench_noop"), cluster.endpoint, "-", tasks, kind, "wait"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if workers > 0:
            if "seconds" not in driver.stdout.readline():
                raise Failed(f"no-op tasks of the kind {kind} failed")
        else:
            wait_until(lambda: stage_is_there(bench, cluster.endpoint, tasks))
        grown = (harness.rss_kib(coordinator) - before) * 1024 / tasks
        harness.stop(driver)
        return grown


def wait_until(is_true, patience=60):
    end = time.monotonic() + patience
    while not is_true():
        if time.monotonic() > end:
            raise Failed("waited too long")
        time.sleep(0.02)


def coordinator_memory(bench, name, kind, limit, tasks, **extra):
    queued, done = [], []
    bench.turns(lambda: done.append(growth(bench, kind, tasks, workers=2)),
                lambda: queued.append(growth(bench, kind, tasks, workers=0)))
    return bench.row(name, "B/task", [max(pair) for pair in zip(queued, done)], target=Target(value_max=limit),
                     tasks=tasks, queued=statistics.median(queued), done=statistics.median(done), **extra)


def coordinator(bench):
    """what the coordinator uses per task: CPU; memory of queued and done tasks, of a range and with distinct results"""
    with bench.cluster(workers=2) as cluster:
        rows = [coordinator_cpu(bench, cluster)]
    many, some = bench.size(10_000_000, quick=1_000_000), bench.size(1_000_000, quick=200_000)
    payload = statistics.median(growth(bench, "distinct", some, workers=2) for _ in range(min(bench.repeat, 3)))
    return rows + [coordinator_memory(bench, "coordinator memory range", "same", 8, many),
                   coordinator_memory(bench, "coordinator memory distinct", "numbers", 64, some,
                                      done_with_two_times_66_bytes=payload)]


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


def bytes_sent(pid):
    """What a process has sent over its open tcp connections; None without the program ss."""
    if shutil.which("ss") is None:
        return None
    lines = subprocess.run(["ss", "-tinpHO"], capture_output=True, text=True).stdout.split("\n")
    sent = [re.search(r"bytes_sent:(\d+)", line) for line in lines if f"pid={pid}," in line]
    return sum(int(match[1]) for match in sent if match)


def blobs(bench):
    """100 MB of shared data to 8 workers on one host, from the first question to the last answer"""
    size, workers = bench.size(100_000_000, quick=10_000_000), 8
    peaks, sent, whole = [], [], []

    def value():
        with bench.cluster(workers=workers) as cluster:
            cluster.wait_for_workers()
            before = harness.rss_kib(cluster.coordinator.pid)
            result = bench.run([bench.program("bench/bench_blobs"), cluster.endpoint,
                                bench.program("bench/bench_shared.so"), size, 4 * workers]).json()
            if result["slots"] != workers:
                raise Failed(f"{result['slots']} of {workers} slots took part")
            peaks.append((harness.peak_kib(*cluster.pids()), harness.peak_kib(cluster.coordinator.pid) - before))
            sent.append((bytes_sent(cluster.coordinator.pid) or 0) / size)
            whole.append(result["whole"])
            return workers * size / result["seconds"] / 1e6
    values, _ = bench.turns(value)
    copies = max(grown for _, grown in peaks) * 1024 / size
    return bench.row("blobs", "MB/s", values, target=Target(value_min=1000), peak_kib=max(p for p, _ in peaks),
                     coordinator_copies=copies, coordinator_sent_copies=max(sent),
                     seconds_with_upload=statistics.median(whole))


def each(bench):
    """each /bin/true in 2 slots of one process, against posix_spawn in 2 processes"""
    tasks = bench.size(10_000, quick=1000)
    runs = []

    def value():
        runs.append(bench.run([bench.zonda, "run", "--quiet", "--slots", 2, "from-range", tasks, "--shards", 64, "then",
                               "each", "/bin/true", "then", "filter", "status == 0", "then", "count"]))
        if runs[-1].stdout.strip() != str(tasks):
            raise Failed(f"{runs[-1].stdout.strip()} of {tasks} commands ended well")
        return tasks / runs[-1].seconds
    values, floors = bench.turns(value, lambda: per_second(bench, bench.program("bench/bench_spawn"), 2, tasks,
                                                           "/bin/true"))
    return bench.row("each", "tasks/s", values, floors, Target(ratio_min=0.85),
                     peak_kib=max(r.peak_kib for r in runs), tasks=tasks)


ROWS = {"noop": noop, "noop-inproc": noop_inproc, "noop-distinct": noop_distinct, "coordinator": coordinator,
        "curve": curve, "durable": durable, "restart": restart, "transfer": transfer, "blobs": blobs, "each": each}
