# SPDX-License-Identifier: MPL-2.0
"""Rows of single tasks: how soon one is done, what starting costs, stages in a row, and cost by number."""
import statistics

import harness
from harness import Failed, Target


def round_trips(bench, how, count):
    """Microseconds of a message over raw sockets: there and back, or through all processes that a task passes."""
    return bench.run([bench.program("bench/bench_pingpong"), how, count]).json()


def latency_row(bench, name, endpoint, count, floor, target, peak):
    """Two rows, of the median and of the 99th percentile, from the same executions."""
    values, floors = bench.turns(lambda: bench.run([bench.program("bench/bench_one"), "latency", endpoint, count]).json(), floor)
    closed = statistics.median(v["closed_us"] for v in values)
    return [bench.row(f"{name} {which}", "µs", [v[f"{which}_us"] for v in values], [f[f"{which}_us"] for f in floors], target,
                      peak_kib=peak(), executions=count, **({"with_its_end_us": closed} if which == "median" else {}))
            for which in ("median", "p99")]


def latency(bench):
    """one task on an idle cluster, from the submission to the result, against a message over raw sockets on the same way"""
    count = bench.size(2000, quick=100)
    direct = []

    def floor():
        direct.append(round_trips(bench, "direct", count)["median_us"])
        return round_trips(bench, "path", count)
    with bench.cluster(workers=1) as cluster:
        cluster.wait_for_workers()
        rows = latency_row(bench, "latency", cluster.endpoint, count, floor, Target(ratio_max=3),
                           lambda: harness.peak_kib(*cluster.pids()))
    rows[0].extra["floor_driver_and_coordinator_us"] = statistics.median(direct)
    return rows


def start(bench):
    """`zonda run from-list 1 then count`, the whole process, against the same program printing its version"""
    times = bench.size(20, quick=3)
    runs = []

    def milliseconds(*command):
        made = [bench.run([bench.zonda, *command]) for _ in range(times)]
        return statistics.median(r.seconds for r in made) * 1e3, made

    def value():
        middle, made = milliseconds("run", "--quiet", "from-list", 1, "then", "count")
        if any(r.stdout.strip() != "1" for r in made):
            raise Failed(f"the count of one record is {made[0].stdout.strip()}")
        runs.extend(made)
        return middle
    values, floors = bench.turns(value, lambda: milliseconds("--version")[0])
    return bench.row("start", "ms", values, floors, Target(value_max=15), peak_kib=max(r.peak_kib for r in runs),
                     least=min(r.seconds for r in runs) * 1e3, most=max(r.seconds for r in runs) * 1e3,
                     cpu_ms=statistics.median(r.cpu for r in runs) * 1e3)


def stages(bench):
    """stages of one task each in a row, on a cluster: each counts what the one before gave, or shuffles it"""
    count = bench.size(1000, quick=50)
    rows = []
    for kind in ("count", "reshard"):
        with bench.cluster(workers=1) as cluster:
            cluster.wait_for_workers()

            def value():
                result = bench.run([bench.program("bench/bench_one"), "stages", cluster.endpoint, count, kind]).json()
                return result["seconds"] / result["stages"] * 1e3
            values, floors = bench.turns(value, lambda: round_trips(bench, "path", count)["median_us"] / 1e3)
            rows.append(bench.row(f"stages {kind}", "ms/stage", values, floors, Target(value_max=1.0),
                                  peak_kib=harness.peak_kib(*cluster.pids()), stages=count))
    return rows


def points_of(bench, places, measure):
    """[[x, microseconds per task], …] of a line, and per turn by how much its highest point is above its lowest."""
    turns, _ = bench.turns(lambda: [measure(x) for x in places])
    return ([[x, statistics.median(turn[i] for turn in turns)] for i, x in enumerate(places)],
            [max(turn) / min(turn) for turn in turns])


def scale_row(bench, name, line, places, measure, target):
    points, steepness = points_of(bench, places, measure)
    return bench.row(f"scale {name}", "× least", steepness, target=target, points={line: points},
                     **{f"us_at_{x}": cost for x, cost in points})


MANY, FEW = 64, 2  # tasks that a worker may hold: many in a message, or one or two


def cost_in_coordinator(bench, workers, tasks, tasks_in_all, credit=MANY):
    times = max(1, tasks_in_all // tasks)
    result = bench.run([bench.program("bench/bench_scale"), "stage", workers, credit, tasks, times]).json()
    return result["seconds"] / result["tasks"] * 1e6


def cost_in_cluster(bench, cluster, tasks, tasks_in_all):
    """Of tasks that do nothing, as time that passes; few tasks are done several times."""
    times = min(max(1, tasks_in_all // tasks), bench.size(20, quick=2))
    made = [bench.run([bench.program("bench/bench_noop"), cluster.endpoint, "-", tasks, "same"]).json() for _ in range(times)]
    return statistics.median(r["seconds"] for r in made) / tasks * 1e6


def scale(bench):
    """cost of a task by how many there are and by how many workers; START_STAGE of a long range"""
    most = bench.size(10_000_000, quick=100_000)
    some = bench.size(1_000_000, quick=100_000)
    counts = [n for n in (10**3, 10**4, 10**5, 10**6, 10**7) if n <= most]
    crowds = [n for n in (1, 10, 100, 1000, 10_000) if n <= bench.size(10_000, quick=100)]
    rows = [scale_row(bench, "tasks", "coordinator, by tasks", counts,
                      lambda n: cost_in_coordinator(bench, 2, n, some), Target(value_max=1.3)),
            scale_row(bench, "workers", "coordinator, by workers", crowds,
                      lambda n: cost_in_coordinator(bench, n, some, some, FEW), Target(value_max=1.3)),
            scale_row(bench, "workers batched", "coordinator, by workers, as many tasks in a message as go", crowds,
                      lambda n: cost_in_coordinator(bench, n, some, some), Target(value_max=1.3))]
    with bench.cluster(workers=2) as cluster:
        cluster.wait_for_workers()
        rows.append(scale_row(bench, "cluster", "whole cluster, by tasks", counts,
                              lambda n: cost_in_cluster(bench, cluster, n, some), None))
        values, _ = bench.turns(lambda: bench.run([bench.program("bench/bench_scale"), "start", cluster.endpoint, most])
                                .json()["seconds"] * 1e3)
        rows.append(bench.row("scale start", "ms", values, target=Target(value_max=50), tasks=most))
    return rows


ROWS = {"latency": latency, "start": start, "stages": stages, "scale": scale}
