#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Manual pages and completion say what the program says, and the tools that read them accept them."""
import json
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import ROOT, zonda

DOCS = pathlib.Path(os.environ["ZONDA_BUILD"]) / "docs"
CLI = json.loads(zonda("--dump-cli").stdout)
COMMANDS = {c["name"]: json.loads(zonda(c["name"], "--dump-cli").stdout) for c in CLI["commands"]}
PAGES = ["zonda"] + ["zonda-" + name for name in COMMANDS]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)


class ManualPages(unittest.TestCase):
    def test_every_command_has_a_page(self):
        for page in PAGES:
            self.assertTrue((DOCS / f"{page}.1").exists(),
                            f"{page}.1 is not built: add the command to the list in docs/meson.build")

    def test_pages_and_completion_are_installed_where_they_are_looked_for(self):
        installed = json.loads((DOCS.parent / "meson-info" / "intro-installed.json").read_text())
        places = set(installed.values())
        for end in ["/share/bash-completion/completions/zonda", "/share/zsh/site-functions/_zonda",
                    *(f"/share/man/man1/{page}.1" for page in PAGES)]:
            self.assertTrue(any(place.endswith(end) for place in places), end)

    def test_pages_name_every_option_and_verb(self):
        for name, detail in COMMANDS.items():
            page = (DOCS / f"zonda-{name}.1").read_text().replace("\\-", "-")
            for option in detail["options"]:
                self.assertIn(f"--{option['name']}", page)
        page = (DOCS / "zonda-run.1").read_text().replace("\\-", "-")
        for op in CLI["operators"]:
            self.assertIn(f"\\fB{op['verb']}\\fR", page)

    def test_every_command_that_connects_takes_keys(self):
        for name, detail in COMMANDS.items():
            options = {option["name"] for option in detail["options"]}
            self.assertEqual("connect" in options, "keys" in options - ({"keys"} if name == "coordinator" else set()),
                             f"zonda {name}: --connect and --keys go together")

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_formats_them_without_a_warning(self):
        for page in PAGES:
            result = run("groff", "-man", "-Tutf8", "-ww", "-z", DOCS / f"{page}.1")
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_finds_nothing_wrong(self):
        for page in PAGES:
            result = run("mandoc", "-Tlint", "-Wwarning", DOCS / f"{page}.1")
            # A date would change with every build.
            findings = [line for line in result.stdout.splitlines() if "missing date" not in line]
            self.assertEqual(findings, [])

    def test_help_says_the_same(self):
        for name, detail in COMMANDS.items():
            text = zonda(name, "--help").stdout
            for option in detail["options"]:
                self.assertIn(f"--{option['name']}", text)
        text = zonda("run", "--help").stdout
        for op in CLI["operators"]:
            for arg in op["args"]:
                usage = arg["word"] if arg["use"] != "option" else "--" + arg["name"].replace("_", "-")
                self.assertIn(usage, text, op["name"])
        self.assertLess(max(len(line) for line in text.splitlines()), 80)


class Bash(unittest.TestCase):
    def complete(self, *words):
        """What bash offers for the last word."""
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); '
                  '_zonda; printf "%s\\n" "${COMPREPLY[@]}"')
        result = run("bash", "-c", script, "bash", DOCS / "zonda", "zonda", *words, cwd=ROOT)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.split()

    def test_commands(self):
        self.assertEqual(self.complete(""), [*COMMANDS, "--help", "--version"])
        self.assertEqual(self.complete("coo"), ["coordinator"])

    def test_options_of_every_command(self):
        for name, detail in COMMANDS.items():
            wanted = {"--" + o["name"] for o in detail["options"]} | {"--help", "--usage", "--version"}
            self.assertEqual(set(self.complete(name, "--")), wanted)

    def test_value_of_an_option_is_a_file(self):
        self.assertIn("docs", self.complete("worker", "--scratch", "do"))
        self.assertIn("docs", self.complete("worker", "--scratch", "=", "do"))
        self.assertEqual(self.complete("worker", "--quiet", "--scr"), ["--scratch"])

    def test_sources_begin_a_pipeline(self):
        sources = {op["verb"] for op in CLI["operators"] if op["class"] == "source"}
        self.assertLessEqual(sources, set(self.complete("run", "")))
        self.assertNotIn("filter", self.complete("run", ""))
        self.assertIn("from-range", self.complete("run", "--slots", "2", "from-r"))

    def test_other_verbs_follow_then(self):
        others = {op["verb"] for op in CLI["operators"] if op["class"] != "source"}
        self.assertEqual(set(self.complete("run", "from-range", "9", "then", "")), others)
        self.assertEqual(self.complete("run", "from-range", "9", "then", "count", "th"), ["then"])

    def test_options_of_every_verb(self):
        for op in CLI["operators"]:
            wanted = {"--" + a["name"].replace("_", "-") for a in op["args"] if a["use"] != "positional"}
            words = [op["verb"]] if op["class"] == "source" else ["from-range", "9", "then", op["verb"]]
            self.assertEqual(set(self.complete("run", *words, "--")), wanted, op["verb"])

    def test_scripts_are_files(self):
        self.assertIn("examples", self.complete("run", "x.lua", "exam"))


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(unittest.TestCase):
    def complete(self, *words):
        """What the function gives to zsh's own helpers, which are replaced by ones that print."""
        script = ('_describe() { print -l -- "${(@P)2}" }; _files() { print FILES }; '
                  '_arguments() { print -l -- "$@" }; words=("${@[2,-1]}"); CURRENT=$#words; . $1')
        result = run("zsh", "-f", "-c", script, "zsh", DOCS / "_zonda", "zonda", *words)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def test_commands(self):
        self.assertEqual([line.split(":")[0] for line in self.complete("").splitlines()], list(COMMANDS))

    def test_options_of_every_command(self):
        for name, detail in COMMANDS.items():
            text = self.complete(name, "")
            for option in detail["options"]:
                self.assertIn(f"--{option['name']}", text)

    def test_verbs(self):
        script = ('_describe() { print -l -- "${(@P)2}" }; _files() { print FILES }; _arguments() { }; '
                  'words=(zonda ""); CURRENT=2; . $1 >/dev/null; words=("${@[2,-1]}"); CURRENT=$#words; _zonda_pipeline')
        result = run("zsh", "-f", "-c", script, "zsh", DOCS / "_zonda", "from-range", "9", "then", "")
        self.assertEqual(result.stderr, "")
        self.assertEqual([line.split(":")[0] for line in result.stdout.splitlines()],
                         [op["verb"] for op in CLI["operators"] if op["class"] != "source"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
