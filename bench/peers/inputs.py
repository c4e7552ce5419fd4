# SPDX-License-Identifier: MPL-2.0
"""The data of the works, made from numbers, the same everywhere, in 16 files each; and the digest that results are compared by."""
import itertools
import json
import pathlib
import random
import zlib

FILES = 16
MINIMUM = 50_000     # of `size`, which is uniform below twice as much
WORDS = 50_000       # different words
ROW_TEXT_BYTES = 960
ROWS_PER_KEY = 8
SECTIONS = ["admin", "devel", "doc", "games", "libs", "net", "science", "utils"]


def words(rng, count):
    """Zipf: the word of rank i is 1/i as frequent as the first."""
    return rng.choices(VOCABULARY, cum_weights=WEIGHTS, k=count)


VOCABULARY = ["".join("etaoinshrdlu"[i // 12 ** d % 12] for d in range(2 + len(str(i)))) for i in range(WORDS)]
WEIGHTS = list(itertools.accumulate(1 / (i + 1) for i in range(WORDS)))


def records(rng, first):
    """Endless records, numbered from `first`; about 300 bytes as JSON."""
    sentences = [" ".join(words(rng, 30)) for _ in range(1000)]
    number = first
    while True:
        yield json.dumps({"id": number, "name": f"package-{number:x}", "size": rng.randrange(2 * MINIMUM),
                          "section": rng.choice(SECTIONS), "text": rng.choice(sentences)})
        number += 1


def lines(rng, first):
    while True:
        text = words(rng, 12_000)
        for i in range(0, len(text), 12):
            yield " ".join(text[i:i + 12])


def rows(rng, first):
    """Rows of 1 KiB. `keys` as many that each has about ROWS_PER_KEY rows."""
    keys = FILES * rows.per_file // ROWS_PER_KEY
    number = first
    while True:
        yield json.dumps({"k": f"{rng.randrange(keys):016x}", "n": number, "t": rng.randbytes(ROW_TEXT_BYTES // 2).hex()})
        number += 1


MAKERS = {"jsonl": (records, ".jsonl"), "wordcount": (lines, ".txt"), "group_by": (rows, ".jsonl")}


def make(work, size, folder):
    """Writes about `size` bytes; returns the paths."""
    folder.mkdir(parents=True)
    maker, suffix = MAKERS[work]
    rows.per_file = size // FILES // 1024
    paths = []
    for index in range(FILES):
        source, left = maker(random.Random(index), index * 100_000_000), size // FILES
        paths.append(folder / f"{index:02d}{suffix}")
        with open(paths[-1], "w") as out:
            while left > 0:
                left -= out.write(next(source) + "\n")
    return paths


def digest(folder):
    """Number of records in the files of a folder, and a sum over them that knows no order of records or fields."""
    count = total = 0
    for path in pathlib.Path(folder).rglob("*.json*"):
        if path.is_file() and not path.name.startswith("."):
            with open(path) as file:
                for line in file:
                    count += 1
                    total += zlib.crc32(json.dumps(json.loads(line), sort_keys=True).encode())
    return count, total
