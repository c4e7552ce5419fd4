#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The reference of operators: its tables are those of the program, every operator has a section with an example
from each face, and every example gives the output that stands below it.

A section is "## NAME". Between "<!-- begin: NAME -->" and "<!-- end -->" stands what the operator table says;
`test_reference.py --update` writes it. An example is one or more blocks (sh, lua, c) and the output that each
of them gives (text); docs/lua.md has examples too. A C block is functions, if it needs some, and then the
statements that make `ds`."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from harness import PROGRAM, ROOT, TestCase, zonda

PAGES = ROOT / "docs" / "reference"
OPERATORS = {op["name"]: op for op in json.loads(zonda("--dump-cli").stdout)["operators"]}
FACES = {"sh": "command line", "lua": "Lua", "c": "C"}


def cell(text):
    return text.replace("|", "\\|")


def generated(op):
    """What the table says about an operator."""
    out = f"{op['doc'][0].upper()}{op['doc'][1:]}.\n"
    if op["args"]:
        out += "\n| argument | command line | type | meaning |\n|---|---|---|---|\n"
    for arg in op["args"]:
        option = ("--" + arg["name"].replace("_", "-") + " " + arg["word"]).strip().replace(" [=", "[=")
        word = {"positional": f"`{arg['word']}`", "optional": f"`{arg['word']}` or `{option}`",
                "option": f"`{option}`"}[arg["use"]]
        need = "" if arg["use"] == "positional" else ", optional"
        out += f"| `{arg['name']}` | {word} | {arg['type']}{need} | {cell(arg['doc'])} |\n"
    return out


GENERATED = re.compile(r"(<!-- begin: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)


def update_page(text):
    return GENERATED.sub(lambda m: m[1] + (generated(OPERATORS[m[2]]) if m[2] in OPERATORS else m[3]) + m[4], text)


class Example:
    def __init__(self, place, blocks, output):
        self.place, self.blocks, self.output = place, blocks, output


def read_page(path):
    """All sections of a page: name → examples."""
    sections, name, blocks = {}, None, {}
    tokens = re.finditer(r"^## ([^\n]*)$|^```(\w+)\n(.*?)^```$", path.read_text(), re.M | re.S)
    for token in tokens:
        if token[1] is not None:
            name, blocks = token[1].strip("`"), {}
            sections[name] = []
        elif token[2] in FACES:
            blocks[token[2]] = token[3]
        elif token[2] == "text" and blocks:
            sections.setdefault(name, []).append(Example(f"{path.name}: {name}", blocks, token[3]))
            blocks = {}
    return sections


SECTIONS = {}
for page in [*sorted(PAGES.glob("*.md")), ROOT / "docs" / "lua.md"]:
    SECTIONS.update(read_page(page))
EXAMPLES = [example for examples in SECTIONS.values() for example in examples]


def c_source():
    """All C examples as one file."""
    out, names = '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <zonda/zonda.h>\n', []
    for index, example in enumerate(EXAMPLES):
        text = example.blocks.get("c")
        names.append("NULL")
        if text is not None:
            names[-1] = f"example_{index}"
            start = re.search(r"^(zonda_register|zonda_plugin|zonda_dataset \*|msgpack_|char )", text, re.M).start()
            out += f"{text[:start]}\nstatic zonda_dataset *example_{index}(void) {{\n{text[start:]}    return ds;\n}}\n"
    out += "extern zonda_dataset *(*const examples[])(void);\n"
    return out + f"zonda_dataset *(*const examples[])(void) = {{ {', '.join(names)} }};\n"


class Reference(TestCase):
    def setUp(self):
        super().setUp()
        shutil.copytree(PAGES / "data", self.folder / "data")
        self.env = {**os.environ, "PATH": os.path.dirname(PROGRAM) + ":" + os.environ["PATH"]}

    def check(self, example, face, *command):
        with self.subTest(example=example.place, face=FACES[face]):
            shutil.rmtree(self.folder / "out", ignore_errors=True)
            result = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True,
                                    stdin=subprocess.DEVNULL, timeout=60)
            self.assertEqual(result.stdout, example.output, result.stderr)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_tables_are_those_of_the_program(self):
        for path in sorted(PAGES.glob("*.md")):
            text = path.read_text()
            self.assertEqual(text, update_page(text), "run: ninja -C BUILD update-reference")

    def test_every_operator_has_a_section_with_all_faces(self):
        missing = []
        for name in OPERATORS:
            examples = SECTIONS.get(name, [])
            faces = {face for example in examples for face in example.blocks}
            if faces != set(FACES):
                missing.append(f"{name}: " + (", ".join(sorted(set(FACES) - faces)) if examples else "no section"))
        self.assertEqual(missing, [], "operators without a section or a face in docs/reference")
        marks = {m[2] for path in PAGES.glob("*.md") for m in GENERATED.finditer(path.read_text())}
        self.assertEqual(marks, set(OPERATORS))

    def test_command_lines_give_their_output(self):
        for example in EXAMPLES:
            if "sh" in example.blocks:
                self.check(example, "sh", "sh", "-ec", example.blocks["sh"])

    def test_scripts_give_their_output(self):
        for example in EXAMPLES:
            if "lua" in example.blocks:
                script = self.write("example.lua", example.blocks["lua"])
                self.check(example, "lua", PROGRAM, "run", script.name)

    def test_programs_give_their_output(self):
        self.write("examples.c", c_source())
        library = pathlib.Path(os.environ["ZONDA_BUILD"]) / "src"
        subprocess.run("msgpack=$(pkg-config --cflags --libs msgpack || pkg-config --cflags --libs msgpack-c) && "
                       f"cc -std=c11 -Wall -Werror $SANITIZE -I{ROOT}/include {ROOT}/tests/docs/example_main.c "
                       f"examples.c -o examples -L{library} -lzonda $msgpack -Wl,-rpath,{library}",
                       shell=True, cwd=self.folder, check=True)
        for index, example in enumerate(EXAMPLES):
            if "c" in example.blocks:
                self.check(example, "c", "./examples", str(index))


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        for page in PAGES.glob("*.md"):
            page.write_text(update_page(page.read_text()))
    else:
        unittest.main()
