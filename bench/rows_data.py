# SPDX-License-Identifier: MPL-2.0
"""Rows of data: what pipelines over files cost, next to programs that do only what cannot be left out. Inputs
are files that bench_generate makes; pipelines read them and write files (or a record), as users' do, with two
slots; GNU sort does the same. What they write is checked by bench_check and by the floors, outside of the time."""
import filecmp
import functools
import json
import os
import pathlib
import shutil
import statistics
import subprocess

import harness
from harness import Failed, Target

SLOTS = 2
MEMORY = "256M"           # of a slot: with two as much as GNU sort has
GNU_MEMORY = "512M"
MEMORY_BESIDES = 64e6     # what a process may use besides the memory of its slots
NEEDLE = "qezgnliclo"       # in about 1 of 200 lines of text; has_needle in functions.c has it, too
FIELDS = ["package", "version", "section", "size", "description"]
LARGE = 100000            # is_large in functions.c has it, too
# Calls a function, so that it needs Lua whatever a planner can see through.
LARGE_IN_LUA = f'math.type(size) == "integer" and size > {LARGE}'
DATA = pathlib.Path(os.environ.get("ZONDA_BENCH_DATA") or pathlib.Path(__file__).resolve().parents[2] / "shared/data")


# ---- running ----

def pipeline(bench, *verbs, memory=MEMORY):
    """Runs a pipeline in one process; nothing may be left in its scratch folder."""
    scratch = bench.folder()
    run = bench.run([bench.zonda, "run", "--quiet", "--slots", SLOTS, "--memory", memory, "--scratch", scratch,
                     "--plugin", bench.program("bench/bench_functions.so"), *verbs])
    left = list(scratch.iterdir())
    shutil.rmtree(scratch)
    if left:
        raise Failed(f"temporary files are left: {left[:3]}")
    return run


def expect(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what}: {got} where {wanted} is right")


def check(bench, *words):
    return bench.run([bench.program("bench/bench_check"), *words]).json()


def files(folder, pattern="*"):
    """Sorted; without the manifest of a write, which is hidden."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def made(bench, kind, count, count_of_files=16):
    """The input of that kind, a folder."""
    def make(folder):
        folder.mkdir()
        bench.run([bench.program("bench/bench_generate"), kind, count, folder, count_of_files])
    return bench.cached(f"{kind}-{count}-{count_of_files}", make)


def bytes_of(paths):
    return sum(path.stat().st_size for path in paths)


def speeds(bench, name, unit, amount, runs, floors=(), target=None, **extra):
    """A row of `amount` per second."""
    if floors:
        extra["floor_cpu_s"] = statistics.median(run.cpu for run in floors)
    return bench.row(name, unit, [amount / run.seconds for run in runs], [amount / run.seconds for run in floors], target,
                     peak_kib=max(run.peak_kib for run in runs), cpu_s=statistics.median(run.cpu for run in runs), **extra)


# ---- records of JSON ----

def compress(source, target):
    with open(target, "wb") as out:
        subprocess.run(["zstd", "-q", "-3", "-c", source], stdout=out, check=True)


def json_input(bench):
    """(folder with files part-….jsonl.zst, one of them not compressed, how many they are, whether real)"""
    if shutil.which("zstd") is None:
        raise Failed("SKIP: zstd is not there, neither for the input nor for the floor")
    times = bench.size(4, quick=1)
    sources = sorted([*DATA.glob("*.jsonl"), *DATA.glob("*.jsonl.zst")]) if DATA.is_dir() else []

    def make(folder):
        folder.mkdir()
        plain = folder / "plain.jsonl"
        if not sources:
            bench.run([bench.program("bench/bench_generate"), "packages", 120000, folder, 1])
            (folder / "packages-000.jsonl").rename(plain)
            compress(plain, folder / "part-0.jsonl.zst")
        with open(plain, "ab") as all_lines:
            for i, source in enumerate(sources):
                packed = source.suffix == ".zst"
                subprocess.run(["zstd", "-q", "-dc", source] if packed else ["cat", source], stdout=all_lines, check=True)
                shutil.copyfile(source, folder / f"part-{i}.jsonl.zst") if packed else compress(
                    source, folder / f"part-{i}.jsonl.zst")
        for part in files(folder, "part-*"):
            part.chmod(0o644)
            for i in range(1, times):
                shutil.copyfile(part, folder / part.name.replace("part-", f"part-{i}-"))
    content_of = f"data-{bytes_of(sources)}" if sources else "made"
    return bench.cached(f"json-{times}-{content_of}", make), times, bool(sources)


@functools.cache
def wanted_records(plain):
    """What the pipelines of JSON are to write, by Python."""
    with open(plain, encoding="utf-8") as lines:
        records = filter(lambda r: isinstance(r.get("size"), int) and r["size"] > LARGE, map(json.loads, lines))
        return [[(f, r[f]) for f in FIELDS if f in r] for r in records]


def check_records(outputs, plain, times):
    """The outputs of the copies of an input are alike; the first of each input is right."""
    got = []
    for output in outputs:
        text = subprocess.run(["zstd", "-q", "-dc", output], check=True, capture_output=True, text=True).stdout
        got += [list(json.loads(line).items()) for line in text.splitlines()]
    wanted = wanted_records(plain)
    expect("records", len(got), times * len(wanted))
    if times == 1 or len(outputs) == times:
        expect("all records", all(got[i] == wanted[i % len(wanted)] for i in range(len(got))), True)
    else:
        expect("all records", sorted(map(repr, got)), sorted(map(repr, wanted * times)))


def run_json(bench, folder, times, function):
    """A run, and what its output needs from zstd alone, in CPU seconds."""
    out = bench.folder()
    run = pipeline(bench, "read", folder / "part-*.jsonl.zst", "then", "filter", function, "then", "select", *FIELDS,
                   "then", "write", out / "{shard:03d}.jsonl.zst")
    outputs = files(out)
    check_records(outputs, folder / "plain.jsonl", times)
    plain = out / "plain"
    with open(plain, "wb") as target:
        subprocess.run(["zstd", "-q", "-dc", *outputs], stdout=target, check=True)
    packing = bench.run(["zstd", "-q", "-3", "-c", plain], stdout=subprocess.DEVNULL).cpu
    shutil.rmtree(out)
    return run, packing


def run_json_floor(bench, folder, times):
    """CPU seconds of unpacking, and of JSON to MessagePack (None without simdjson)."""
    unpacking = bench.run(["zstd", "-q", "-dc", *files(folder, "part-*")], stdout=subprocess.DEVNULL).cpu
    program = bench.build / "bench/bench_transcode"
    if not program.exists():
        return unpacking, None, None
    result = bench.run([program, folder / "plain.jsonl", times]).json()
    return unpacking, result["cpu"], result["records"]


def json_row(bench, name, function, target, **extra):
    folder, times, is_real = json_input(bench)
    values, floors = bench.turns(lambda: run_json(bench, folder, times, function),
                                 lambda: run_json_floor(bench, folder, times))
    runs, packing = zip(*values)
    unpacking, transcoding, records = zip(*floors)
    extra["records_per_s"] = times * len(open(folder / "plain.jsonl", "rb").readlines()) / statistics.median(
        run.seconds for run in runs)
    extra["floor_unzstd_s"], extra["floor_zstd_s"] = statistics.median(unpacking), statistics.median(packing)
    if not is_real:
        extra["input"] = "generated: no data found"
    if None in transcoding:
        extra["SKIP"] = "floor of JSON: built without simdjson"
        sums, target = (), None
    else:
        extra["floor_json_s"] = statistics.median(transcoding)
        sums = [sum(parts) for parts in zip(unpacking, transcoding, packing)]
    return bench.row(name, "CPU s", [run.cpu for run in runs], sums, target,
                     peak_kib=max(run.peak_kib for run in runs), cpu_s=statistics.median(run.cpu for run in runs), **extra)


def lua_alone(bench):
    """Records per second and core that the filter takes in Lua: the CPU that 16 more of them use."""
    folder, times, _ = json_input(bench)
    true = f'math.type(size) ~= "nothing" and size ~= -{LARGE}'
    read, more = [bench.run([bench.zonda, "run", "--quiet", "--slots", SLOTS, "read", folder / "part-*.jsonl.zst",
                             *["then", "filter", true] * count, "then", "count"]) for count in (1, 17)]
    expect("records", more.stdout, read.stdout)
    return 16 * int(read.stdout) / (more.cpu - read.cpu)


def jsonl(bench):
    """.jsonl.zst read, filtered in Lua, selected, written; CPU against zstd -d, simdjson, zstd -3"""
    return json_row(bench, "jsonl", LARGE_IN_LUA, Target(ratio_max=1.6), lua_records_per_s=lua_alone(bench))


def jsonl_native(bench):
    """the same with a function in C, and with a comparison that the planner sees through"""
    return [json_row(bench, "jsonl-native C", "@is_large", Target(ratio_max=1.3)),
            json_row(bench, "jsonl-native built-in", f"size > {LARGE}", Target(ratio_max=1.3))]


# ---- text ----

def run_grep(bench, folder, function, wanted):
    out = bench.folder()
    run = pipeline(bench, "read", folder / "*.txt", "then", "filter", function, "then", "write", out / "{shard:03d}.txt")
    with open(out / "all", "wb") as target:
        subprocess.run(["cat", *files(out, "*.txt")], stdout=target, check=True)
    expect("the same lines", filecmp.cmp(out / "all", wanted, shallow=False), True)
    shutil.rmtree(out)
    return run


def text(bench):
    """a filter like grep over 1 GB of lines, against one thread of wc -l and memchr"""
    folder = made(bench, "text", bench.size(10**9, quick=10**8))
    megabytes = bytes_of(files(folder)) / 1e6
    wanted = bench.folder() / "wanted"

    def floor():
        return bench.run([bench.program("bench/bench_text_floor"), "grep", NEEDLE, wanted, *files(folder)])
    rows = []
    for name, function in (("text", f'r:find("{NEEDLE}", 1, true)'), ("text C", "@has_needle")):
        floor()
        runs, floors = bench.turns(lambda: run_grep(bench, folder, function, wanted), floor)
        count = bench.run(["wc", "-l", *files(folder)])
        rows.append(speeds(bench, name, "MB/s", megabytes, runs, floors, Target(ratio_min=0.7),
                           wc_mb_per_s=megabytes / count.seconds))
    return rows


def run_words(bench, folder, function, wanted):
    out = bench.folder()
    run = pipeline(bench, "read", folder / "*.txt", "then", "flat-map", function, "then", "aggregate", "c=count()", "--by",
                   "w", "then", "write", out / "{shard:03d}.jsonl")
    got = {}
    for output in files(out):
        with open(output, encoding="utf-8") as lines:
            for record in map(json.loads, lines):
                expect(f"a second {record['w']}", record["w"] in got, False)
                got[record["w"]] = record["c"]
    expect("the same counts", got == wanted, True)
    shutil.rmtree(out)
    return run


def count_words(bench, folder):
    """What a hash table counts: {word: count}, and the run."""
    path = bench.folder() / "words"
    run = bench.run([bench.program("bench/bench_text_floor"), "words", path, *files(folder)])
    with open(path, encoding="utf-8") as lines:
        return {word: int(count) for word, count in map(str.split, lines)}, run


def wordcount(bench):
    """words of 1 GB of Zipf text by a flat_map in C, counted, against one thread with a hash table"""
    size = bench.size(10**9, quick=10**8)
    folder = made(bench, "text", size)
    part = made(bench, "text", size // 10)
    megabytes = bytes_of(files(folder)) / 1e6
    wanted, _ = count_words(bench, folder)
    runs, floors = bench.turns(lambda: run_words(bench, folder, "@words", wanted), lambda: count_words(bench, folder)[1])
    lua = run_words(bench, part, 'for w in r:gmatch("%S+") do emit({ w = w }) end', count_words(bench, part)[0])
    corpus = made(bench, "corpus", size // 10)
    many, floor = count_words(bench, corpus)
    large = run_words(bench, corpus, "@words", many)
    part_megabytes = bytes_of(files(part)) / 1e6
    return speeds(bench, "wordcount", "MB/s", megabytes, runs, floors, Target(value_min=300),
                  lua_mb_per_s=part_megabytes / lua.seconds, corpus_mb_per_s=part_megabytes / large.seconds,
                  corpus_floor_mb_per_s=part_megabytes / floor.seconds)


# ---- wide operators: each takes `run`, which runs a pipeline somewhere ----

def sort_input(bench, kind="sort"):
    return made(bench, kind, bench.size(20_000_000, quick=2_000_000))


@functools.cache
def content(program, folder):
    """What no order changes: number and hash of records."""
    found = json.loads(subprocess.run([program, "records", "100", "0", *files(folder)], check=True,
                                      capture_output=True).stdout)
    return found["records"], found["hash"]


def check_sorted(bench, key_at, outputs, source):
    found = check(bench, "records", 100, key_at, *outputs)
    expect("records, hash, sorted", (found["records"], found["hash"], found["sorted"]),
           (*content(bench.program("bench/bench_check"), source), True))


def run_sort(bench, run):
    folder, out = sort_input(bench), bench.folder()
    result = run("read", folder / "*.msgpack", "then", "sort", "k", "then", "write", out / "{shard:03d}.msgpack")
    check_sorted(bench, 4, files(out), folder)
    shutil.rmtree(out)
    return result


def run_gnu_sort(bench):
    if shutil.which("sort") is None:
        return None
    folder, out = sort_input(bench, "lines"), bench.folder()
    result = bench.run(["sort", f"--parallel={SLOTS}", "-S", GNU_MEMORY, "-T", out, "-o", out / "sorted", *files(folder)],
                       env={"LC_ALL": "C"})
    check_sorted(bench, 0, [out / "sorted"], folder)
    shutil.rmtree(out)
    return result


def sort(bench):
    """2 GB of 100-byte records, sorted, with 256 MB for each slot, against GNU sort with as much"""
    megabytes = bytes_of(files(sort_input(bench))) / 1e6
    sort_input(bench, "lines")
    runs, floors = bench.turns(lambda: run_sort(bench, functools.partial(pipeline, bench)), lambda: run_gnu_sort(bench),
                               repeat=min(bench.repeat, 3))
    floors = [run for run in floors if run is not None]
    more = {"floor_peak_kib": max(run.peak_kib for run in floors)} if floors else {"SKIP": "floor: no GNU sort"}
    return speeds(bench, "sort", "MB/s", megabytes, runs, floors, Target(ratio_min=2) if floors else None, **more)


def run_group_by(bench, run, key, reducer="@tally"):
    folder, count = wide_input(bench)
    result = run("read", folder / "*.msgpack", "then", "group-by", key, "--reduce", reducer, "then", "aggregate",
                 "g=count(),c=sum(c),s=sum(s)")
    expect("groups, records and sum", result.json(),
           {"g": count // 8 if key == "k" else 1 + count // 80, "c": count, "s": count * (count - 1) // 2})
    return result


def wide_input(bench):
    count = bench.size(2_000_000, quick=200_000)
    return made(bench, "wide", count), count


def shuffle(bench):
    """group_by of 2 M rows of 1 KiB, keys of 8 rows each, and one key with 90 % of the rows"""
    folder, _ = wide_input(bench)
    megabytes = bytes_of(files(folder)) / 1e6
    run = functools.partial(pipeline, bench)
    skewed, uniform = bench.turns(lambda: run_group_by(bench, run, "s"), lambda: run_group_by(bench, run, "k"),
                                  repeat=min(bench.repeat, 3))
    in_lua = run_group_by(bench, run, "k", "local c, s = 0, 0 for r in rows do c = c + 1 s = s + r.n - (1 << 40) end "
                                           "emit({ c = c, s = s })")
    return [speeds(bench, "shuffle uniform", "MB/s", megabytes, uniform, (), Target(value_min=300),
                   lua_mb_per_s=megabytes / in_lua.seconds),
            speeds(bench, "shuffle skewed", "MB/s", megabytes, skewed, uniform, Target(ratio_min=0.7))]


def join_input(bench):
    count = bench.size(5_000_000, quick=500_000)
    return made(bench, "left", count), made(bench, "right", count), count


def run_join(bench, run):
    left, right, count = join_input(bench)
    out = bench.folder()
    result = run("read", left / "*.msgpack", "then", "join", right / "*.msgpack", "--on", "k", "--broadcast=false", "then",
                 "write", out / "{shard:03d}.msgpack")
    expect("pairs", check(bench, "pairs", *files(out)), {"records": count, "sum": count * (count - 1) // 2})
    shutil.rmtree(out)
    return result


def join(bench):
    """5 M by 5 M rows with keys of 16 bytes, shuffled, each key once; rows of both sides"""
    _, _, count = join_input(bench)
    runs, _ = bench.turns(lambda: run_join(bench, functools.partial(pipeline, bench)), repeat=min(bench.repeat, 3))
    return speeds(bench, "join", "rows/s", 2 * count, runs, (), Target(value_min=2e6))


def run_aggregate(bench, run, folder, count):
    out = bench.folder()
    result = run("read", folder / "*.msgpack", "then", "aggregate", "c=count(),s=sum(n)", "--by", "k", "then", "write",
                 out / "{shard:03d}.msgpack")
    check(bench, "million", count, *files(out))
    shutil.rmtree(out)
    return result


def aggregate(bench):
    """count and sum of 50 M rows by a million keys"""
    count = bench.size(50_000_000, quick=5_000_000)
    folder = made(bench, "million", count)
    runs, _ = bench.turns(lambda: run_aggregate(bench, functools.partial(pipeline, bench), folder, count),
                          repeat=min(bench.repeat, 3))
    return speeds(bench, "aggregate", "rows/s", count, runs, (), Target(value_min=1e7))


# ---- memory ----

def small_memory(bench):
    """Of a slot; small enough that the operators have to use files."""
    return bench.size("64M", quick="8M")


def on_cluster(bench, operator, scratch):
    """A run, and the peak and the CPU of a worker and its slots together."""
    options = ["--memory", small_memory(bench), "--scratch", scratch]
    with bench.cluster(workers=1, slots=SLOTS, worker_options=options) as cluster:
        def run(*verbs):
            return bench.run([bench.zonda, "run", "--quiet", "--connect", cluster.endpoint, "--plugin",
                              bench.program("bench/bench_functions.so"), *verbs])
        result = operator(bench, run)
        pids = cluster.worker_pids()
        return result, harness.peak_kib(*pids), harness.cpu_seconds(*pids)


def memory_row(bench, name, kib, seconds, cpu):
    bound = SLOTS * harness.size(small_memory(bench)) + MEMORY_BESIDES
    return bench.row(f"memory {name}", "MB", [kib * 1024 / 1e6], [bound / 1e6], Target(ratio_max=1.0), peak_kib=kib,
                     seconds=seconds, cpu_s=cpu)


def memory(bench):
    """peaks of sort, shuffle and join with 64 MB for each slot; the floor is the bound"""
    operators = {"sort": run_sort, "shuffle": functools.partial(run_group_by, key="k"),
                 "shuffle skewed": functools.partial(run_group_by, key="s"), "join": run_join}
    rows = []
    for name, operator in operators.items():
        run = operator(bench, functools.partial(pipeline, bench, memory=small_memory(bench)))
        rows.append(memory_row(bench, name, run.peak_kib, run.seconds, run.cpu))
        scratch = bench.folder()
        run, kib, cpu = on_cluster(bench, operator, scratch)
        rows.append(memory_row(bench, name + ", cluster", kib, run.seconds, cpu))
        expect("temporary files left", list(scratch.iterdir()), [])
    return rows


ROWS = {"jsonl": jsonl, "jsonl-native": jsonl_native, "text": text, "wordcount": wordcount, "sort": sort,
        "shuffle": shuffle, "join": join, "aggregate": aggregate, "memory": memory}
