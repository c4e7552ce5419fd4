#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Keeps the shape of the tree: sizes, layers, who may know which library, no dead files.

Usage: check.py ROOT. Prints one line per finding, "FILE:LINE: what is wrong", and fails if there
is one. The rules are those of CONTRIBUTING.md."""
import pathlib
import re
import sys

LAYERS = ["base", "wire", "record", "store", "ops", "plan", "coordinator", "worker", "runtime", "cli"]
SOURCE_LINES_MAX = 500
HEADER_LINES_MAX = 150
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
# Tables are data: one row is one line of thought, however long it is.
TABLES = {"src/wire/message_table.h", "src/wire/message_table_journal.h"}
# Library headers and the places that may include them.
LIBRARIES = {
    r"zmq|czmq": ["src/wire/"],
    r"zstd\.h": ["src/wire/frame.c", "src/store/"],
    r"zlib\.h": ["src/store/"],
    r"lzma\.h": ["src/store/"],
    r"xxhash": ["src/base/digest.c"],
    r"simdjson": ["src/record/json_simdjson.cc"],
    r"lua|lauxlib|lualib": ["src/record/lua_", "src/ops/lua_"],
}

findings = []


def find(path, line, text):
    findings.append(f"{path}:{line}: {text}")


def check_sizes(path, lines):
    limit = HEADER_LINES_MAX if path.endswith(".h") else SOURCE_LINES_MAX
    if len(lines) > limit:
        find(path, len(lines), f"{len(lines)} lines, at most {limit}")
    if path in TABLES:
        return
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            find(path, number, f"{len(line)} columns, at most {COLUMNS_MAX}")


def check_functions(path, lines):
    """A function is what opens with a `{` at the end of a line of a statement that began in the
    first column with a parenthesis in it, and ends with a `}` in the first column."""
    start = body = None
    for number, line in enumerate(lines, 1):
        if body is not None:
            if line.startswith("}"):
                if number - body - 1 > FUNCTION_LINES_MAX:
                    find(path, body, f"function of {number - body - 1} lines, at most {FUNCTION_LINES_MAX}")
                body = start = None
        elif line and not line[0].isspace() and line[0] not in "#/}*":
            start = number
        if body is None and start is not None and line.rstrip().endswith("{"):
            text = " ".join(lines[start - 1:number])
            if "(" in text and "=" not in text:
                body = number
            start = None
        elif body is None and line.rstrip().endswith(";"):
            start = None


def check_includes(path, lines):
    layer = path.split("/")[1] if path.startswith("src/") else None
    for number, line in enumerate(lines, 1):
        match = re.match(r'#include\s+["<]([^">]+)[">]', line)
        if not match:
            continue
        included = match.group(1)
        target = included.split("/")[0]
        if layer in LAYERS and target in LAYERS and "/" in included:
            if LAYERS.index(target) > LAYERS.index(layer):
                find(path, number, f"{layer} includes {included}: includes point to lower layers")
            if {layer, target} == {"coordinator", "worker"}:
                find(path, number, "coordinator and worker do not know each other")
        if layer in ("coordinator", "worker") and target in ("plan", "runtime"):
            find(path, number, f"{layer} includes {included}")
        for library, places in LIBRARIES.items():
            if re.match(rf"(?:{library})", included) and path.startswith("src/"):
                if not any(path.startswith(place) for place in places):
                    find(path, number, f"<{included}> belongs behind {', '.join(places)}")


def check_words(path, lines):
    for number, line in enumerate(lines, 1):
        if path.startswith("tests/") and re.search(r"\b(sleep|usleep|nanosleep)\s*\(", line):
            find(path, number, "a test does not sleep, it waits for what it needs")
        if not path.startswith("tests/") and re.search(r"(?<![\w_])(strcpy|strcat|sprintf|gets|atoi|strtok)\(", line):
            find(path, number, "an unbounded or error-blind C function")


def check_head(path, lines):
    if not lines or "SPDX-License-Identifier: MPL-2.0" not in lines[0]:
        find(path, 1, "the first line is the licence")
    if path.endswith(".c") and path.startswith("src/") and len(lines) > 1:
        if not lines[1].startswith("/*"):
            find(path, 2, "a .c file opens with what it is for")


def check_dead(root, paths):
    builds = {b.parent: b.read_text() for b in root.glob("**/meson.build") if "build" not in b.parts[0]}
    for path in paths:
        if path.endswith((".c", ".cc")):
            file = root / path
            text = builds.get(file.parent, "") + builds.get(file.parent.parent, "")
            if file.name not in text and f"'{file.stem}'" not in text:
                find(path, 1, "no meson.build builds this file")


def main():
    root = pathlib.Path(sys.argv[1])
    paths = sorted(
        str(p.relative_to(root))
        for folder in ("src", "include", "tests", "bench", "examples")
        for p in (root / folder).rglob("*")
        if p.suffix in (".c", ".h", ".cc"))
    for path in paths:
        lines = (root / path).read_text(encoding="utf-8").split("\n")[:-1]
        check_head(path, lines)
        check_sizes(path, lines)
        check_functions(path, lines)
        check_includes(path, lines)
        check_words(path, lines)
    check_dead(root, paths)
    for finding in findings:
        print(finding)
    print(f"{len(paths)} files checked, {len(findings)} findings")
    return 1 if findings else 0


sys.exit(main())
