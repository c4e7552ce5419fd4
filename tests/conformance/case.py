# SPDX-License-Identifier: MPL-2.0
"""How a case is written.

    case("map_squares", z.from_range(4).map("r * r"), records=[0, 1, 4, 9])

A plan is a chain of operators with the names and options of the reference; faces.py turns it into the
words of a command line, a Lua script and calls of the public C functions. Functions are Lua
expressions over the record `r` (reduce: the accumulated value `a`, too; combine of a join: `left` and
`right`), blocks for flat_map, map_shard and group_by; fn("name") is a C function of functions.c,
plug("name") the same from a plug-in, lua("function(r) … end") one that only a script can have. A key is
the name of a field, a list of names, or expr("…"), an expression. DIR stands for the folder of the case, in plans, scripts and expectations.

What a case expects:
    records=[…]      the records, as Python values         lines="…"   the same as exact JSONL
    files={path: …}  the files that are there afterwards besides `given`, byte by byte; without it
                     there must be none. Without `records` the records are their paths, in this order
    fails="PLAN"     the error code; words=[…] what its text has; then no file may be there, but those
                     of `may_leave`, which must be whole
    counters={name: sum or (sum, min, max, count)}
    explains=[…]     words that the dry run prints, in this order; nothing is run
`not_on` says on which face or transport ("three": with three workers) a case does not run, and why. What a face cannot express
at all is found by faces.py. `broken` marks what the product still gets wrong, and says what: the case
must then fail, so that the mark goes when the product is mended."""
import gzip
import lzma
import subprocess
import typing

FACES = ("c", "lua", "cli")
TRANSPORTS = ("inproc", "ipc", "tcp")
CASES = {}


class Step(typing.NamedTuple):
    op: str
    args: tuple
    options: dict


class Plan:
    """A chain of operators; any attribute is an operator that is added at its end."""

    def __init__(self, steps=()):
        self.steps = list(steps)

    def __getattr__(self, op):
        if op.startswith("_"):
            raise AttributeError(op)
        return lambda *args, **options: Plan(self.steps + [Step(op, args, options)])


z = Plan()


class fn(str):
    """A C function, by its name."""


class plug(str):
    """A function of the plug-in that functions.c is, too."""


class lua(str):
    """A Lua function as a script writes it."""


class expr(str):
    """A Lua expression where a text would be the name of a field."""


class Packed:
    """Content of a compressed file; `frames` are compressed one by one and joined."""

    def __init__(self, kind, *frames):
        self.kind = kind
        self.frames = [f.encode() if isinstance(f, str) else f for f in frames]

    def pack(self):
        return b"".join(map(self.pack_frame, self.frames))

    def pack_frame(self, content):
        if self.kind == "gz":
            return gzip.compress(content, mtime=0)
        if self.kind == "xz":
            return lzma.compress(content)
        return subprocess.run(["zstd", "-qc"], input=content, capture_output=True, check=True).stdout

    def unpack(self, packed):
        """The content of a file that the product wrote; it must really be of this kind."""
        if self.kind == "gz":
            return gzip.decompress(packed)
        if self.kind == "xz":
            return lzma.decompress(packed)
        return subprocess.run(["zstd", "-qdc"], input=packed, capture_output=True, check=True).stdout

    def content(self):
        return b"".join(self.frames)


def gz(*frames):
    return Packed("gz", *frames)


def xz(*frames):
    return Packed("xz", *frames)


def zst(*frames):
    return Packed("zst", *frames)


class Case(typing.NamedTuple):
    name: str
    plan: Plan
    records: list
    lines: str
    given: dict
    files: dict
    fails: str
    may_leave: dict
    words: list
    shared: dict
    counters: dict
    explains: list
    script: str
    script_args: list
    cli: list
    not_on: dict
    broken: dict


def case(name, plan=None, *, records=None, lines=None, given=None, files=None, fails=None, words=(),
         may_leave=None, shared=None, counters=None, explains=None, script=None, script_args=(),
         cli=None, not_on=None, broken=None):
    assert name not in CASES, f"two cases are named {name}"
    expectations = [records is not None or lines is not None or files is not None, fails is not None,
                    explains is not None]
    assert sum(expectations) == 1, f"{name} needs records, lines or files; or fails; or explains"
    not_on = dict(not_on or {})
    for where in list(not_on) + list(broken or {}):
        assert where in FACES + TRANSPORTS + ("three",), f"{name}: {where} is no face and no transport"
    CASES[name] = Case(name, plan, records, lines, given or {}, files, fails, may_leave or {},
                       list(words), shared or {}, counters or {}, explains, script, list(script_args),
                       cli, not_on, broken or {})
