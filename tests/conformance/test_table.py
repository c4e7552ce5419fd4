#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The table of cases and docs/conformance.md themselves: enough cases, every operator on every face,
and everything that the document names exists."""
import os
import pathlib
import re
import subprocess
import unittest

from case import FACES
from faces import faces_of, json_text
from model import NotModelled, expected
from partitions import Partitions
from run import expected_lines, load_cases

ROOT = pathlib.Path(os.environ["ZONDA_SOURCE"])
CASES = load_cases()
CASES_MIN = 150
WIDE = {"group_by", "aggregate", "deduplicate", "sort", "reshard", "join", "sorted_merge_join"}
# Operators that still have no cases here; each goes from this list when it gets them.
WITHOUT_CASES = set()


def operators():
    """The operators as the program lists them."""
    text = subprocess.run([os.environ["ZONDA_PROGRAM"], "run", "--help"], capture_output=True,
                          text=True, check=True).stdout
    verbs = text[text.index("Verbs, joined by"):text.index("Examples:")]
    return {name.replace("-", "_") for name in re.findall(r"^  ([a-z][a-z-]+)\b", verbs, re.M)}


def steps_of(plan):
    for step in plan.steps if plan is not None else []:
        yield step.op
        for value in step.args:
            if hasattr(value, "steps"):
                yield from steps_of(value)


class Table(unittest.TestCase):
    def test_there_are_enough_cases(self):
        self.assertGreaterEqual(len(CASES), CASES_MIN)

    def test_every_case_runs_on_a_face(self):
        self.assertEqual([name for name, case in CASES.items() if not faces_of(case)], [])

    def test_every_operator_succeeds_on_every_face(self):
        seen = {face: set() for face in FACES}
        for case in CASES.values():
            if case.fails is None:
                for face in faces_of(case):
                    seen[face].update(steps_of(case.plan))
        known = operators()
        self.assertGreater(len(known), 12)
        for face in FACES:
            self.assertEqual(sorted(known - seen[face] - WITHOUT_CASES), [], face)
            self.assertEqual(sorted(seen[face] & WITHOUT_CASES), [], "these have cases now")


class Modelled(unittest.TestCase):
    """Cases of wide operators and the model of random plans say the same."""

    CASES_MIN = 120

    def test_model_agrees_with_the_cases(self):
        partitions = Partitions()
        self.addCleanup(partitions.close)
        known = sum(self.check(name, case, partitions) for name, case in CASES.items()
                    if case.plan is not None and case.explains is None and case.fails is None
                    and WIDE & set(steps_of(case.plan)))
        self.assertGreaterEqual(known, self.CASES_MIN)

    def check(self, name, case, partitions):
        """Whether the model knows what the case is about."""
        with self.subTest(name):
            try:
                records = expected(case.plan, partitions, case.given)
            except NotModelled:
                return False
            if case.records is not None or case.lines is not None:
                lines = "".join(json_text(record) + "\n" for record in records)
                self.assertEqual(lines, expected_lines(case, str))
        return True


class Document(unittest.TestCase):
    """Every row of docs/conformance.md says who checks it."""

    TEXT = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")

    def rows(self):
        for title, count, body in re.findall(r"^### ([^\n(]+) \((\d+)\)\n(.*?)(?=^### |\Z)", self.TEXT,
                                             re.M | re.S):
            rows = [[cell.strip() for cell in line.strip("|").split("|")]
                    for line in body.splitlines() if line.startswith("| test_")]
            yield title, int(count), rows

    def test_no_row_is_lost_or_empty(self):
        sections = list(self.rows())
        self.assertEqual(len(sections), 6)
        for title, count, rows in sections:
            self.assertEqual(len(rows), count, title)
            names = [row[0] for row in rows]
            self.assertEqual(len(names), len(set(names)), title)
            for row in rows:
                self.assertEqual(len(row), 3, row)
                covered = re.search(r"`|^Does not apply: .|"
                                    r"^(Every|All) cases?\b", row[2])
                self.assertTrue(covered, row)

    def test_everything_that_is_named_exists(self):
        tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.[cp]*")
                          if path.suffix in (".c", ".py"))
        for _, _, rows in self.rows():
            for row in rows:
                for name in re.findall(r"`([^`]+)`", row[2]):
                    if "/" in name:
                        self.assertTrue((ROOT / name).exists(), name)
                    elif name.startswith("test_"):
                        self.assertTrue(re.search(rf"\b{name}\(", tests), f"{row[0]}: there is no {name}")
                    elif name != "split_bytes":
                        self.assertTrue(name in CASES, f"there is no case {name}")


if __name__ == "__main__":
    unittest.main()
