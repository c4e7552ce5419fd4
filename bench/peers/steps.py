# SPDX-License-Identifier: MPL-2.0
"""The works as programs on files, for peers that start programs and know nothing of records. As a program:
    steps.py filter MINIMUM INPUT OUTPUT
    steps.py count INPUT OUTPUT              counts the words of a file
    steps.py total OUTPUT COUNTS…            adds counts of files
    steps.py partition PARTS INPUT FOLDER    FOLDER/PART/<name of INPUT>, by a hash of the key
    steps.py group FOLDER OUTPUT             groups the rows of all files in FOLDER"""
import collections
import json
import pathlib
import sys
import zlib


def write(path, records):
    with open(path, "w") as out:
        for record in records:
            out.write(json.dumps(record) + "\n")


def run_filter(minimum, source, target):
    minimum = int(minimum)
    with open(source) as lines, open(target, "w") as out:
        for line in lines:
            if json.loads(line)["size"] > minimum:
                out.write(line)


def run_count(source, target):
    words = collections.Counter()
    with open(source) as lines:
        for line in lines:
            words.update(line.split())
    write(target, ({"w": w, "n": n} for w, n in words.items()))


def run_total(target, *sources):
    words = collections.Counter()
    for source in sources:
        with open(source) as lines:
            for record in map(json.loads, lines):
                words[record["w"]] += record["n"]
    write(target, ({"w": w, "n": n} for w, n in words.items()))


def run_partition(parts, source, folder):
    name, parts = pathlib.Path(source).name, int(parts)
    for part in range(parts):
        pathlib.Path(folder, str(part)).mkdir(parents=True, exist_ok=True)
    files = [open(f"{folder}/{part}/{name}", "w") for part in range(parts)]
    with open(source) as lines:
        for line in lines:
            files[zlib.crc32(json.loads(line)["k"].encode()) % parts].write(line)
    for file in files:
        file.close()


def run_group(folder, target):
    groups = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).iterdir()):
        with open(path) as lines:
            for row in map(json.loads, lines):
                groups[row["k"]].append((row["n"], row["t"]))
    write(target, ({"k": k, "n": len(rows), "t": "".join(t for _, t in sorted(rows))} for k, rows in groups.items()))


STEPS = {"filter": run_filter, "count": run_count, "total": run_total, "partition": run_partition, "group": run_group}

if __name__ == "__main__":
    STEPS[sys.argv[1]](*sys.argv[2:])
