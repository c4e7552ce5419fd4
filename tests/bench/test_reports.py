#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What bench/ makes of measured values: rows and their targets, comparisons, the table and the plots."""
import dataclasses
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

import harness
import plot
import report
import rows_tasks

ROOT = pathlib.Path(os.environ["ZONDA_SOURCE"])
MACHINE = {"cpu": "any", "cores": 2, "memory_gib": 4, "kernel": "6", "system": "Linux", "compiler": "gcc 12",
           "build": {"buildtype": "debugoptimized"}, "commit": "abc", "load": 0.1, "time": "2026-01-01T00:00:00+00:00"}


def load_program(name):
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "bench" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


compare = load_program("compare")


def make_row(name, values, floors=(), target=None, unit="tasks/s", **extra):
    return harness.Bench(build=ROOT).row(name, unit, values, floors, target, **extra)


def as_run(*rows, **other):
    return {"machine": MACHINE, "quick": False, "repeat": 3, "failed": [],
            "rows": [{**dataclasses.asdict(row), "load": 0.1} for row in rows], **other}


class Rows(unittest.TestCase):
    def test_values_and_floors_become_medians_ratio_and_spread(self):
        row = make_row("noop", [90, 100, 120], [40, 50, 60])
        self.assertEqual((row.value, row.floor, row.ratio), (100, 50, 2))
        self.assertAlmostEqual(row.spread, 0.3)
        self.assertIsNone(row.met)

    def test_a_row_without_a_floor_has_no_ratio(self):
        row = make_row("noop", [1], target=harness.Target(ratio_min=1))
        self.assertIsNone(row.ratio)
        self.assertFalse(row.met)

    def test_any_bound_of_a_target_is_enough(self):
        target = harness.Target(value_min=1e6, ratio_min=1)
        self.assertTrue(make_row("noop", [1.5e6], [2e6], target).met)
        self.assertTrue(make_row("noop", [5e5], [4e5], target).met)
        self.assertFalse(make_row("noop", [5e5], [6e5], target).met)
        self.assertEqual(target.text("tasks/s"), "≥ 1 000 000 tasks/s or ≥ 1 × floor")

    def test_upper_bounds_are_for_what_should_be_small(self):
        target = harness.Target(value_max=64)
        self.assertTrue(make_row("memory", [64], target=target, unit="B/task").met)
        self.assertFalse(make_row("memory", [64.1], target=target, unit="B/task").met)

    def test_a_row_is_plain_json(self):
        row = make_row("noop", [1.0], [2.0], harness.Target(ratio_min=1), tasks=7)
        self.assertEqual(json.loads(json.dumps(dataclasses.asdict(row)))["extra"], {"tasks": 7})

    def test_sizes_are_read_with_units(self):
        self.assertEqual([harness.size(s) for s in ("7", "2K", "64M", "1G")], [7, 2048, 64 << 20, 1 << 30])


class Compare(unittest.TestCase):
    def word(self, old, new):
        return compare.compare(as_run(old), as_run(new))[0][-1]

    def test_values_apart_are_faster_or_slower(self):
        slow, fast = make_row("noop", [10, 11, 12]), make_row("noop", [13, 14, 15])
        self.assertEqual(self.word(slow, fast), "faster")
        self.assertEqual(self.word(fast, slow), "slower")

    def test_less_of_a_time_is_faster(self):
        slow, fast = (make_row("start", v, unit="ms") for v in ([10, 11, 12], [7, 8, 9]))
        self.assertEqual(self.word(slow, fast), "faster")

    def test_values_that_overlap_are_the_same(self):
        self.assertEqual(self.word(make_row("noop", [10, 11, 12]), make_row("noop", [12, 13, 14])), "same within spread")

    def test_two_values_say_nothing(self):
        self.assertEqual(self.word(make_row("noop", [10, 11]), make_row("noop", [12, 13])), "too few values")

    def test_a_machine_that_is_slower_throughout_changes_nothing(self):
        old, new = make_row("noop", [10, 11, 12], [5, 5, 5]), make_row("noop", [5, 5.5, 6], [2.5, 2.5, 2.5])
        self.assertEqual(compare.compare(as_run(old), as_run(new))[0][-2:], ["+0%", "same within spread"])

    def test_a_target_that_is_newly_missed_is_told(self):
        target = harness.Target(value_min=10)
        self.assertEqual(self.word(make_row("noop", [10, 11, 12], target=target), make_row("noop", [7, 8, 9], target=target)),
                         "slower, target now missed")

    def test_rows_of_one_side_are_told(self):
        lines = compare.compare(as_run(make_row("old", [1])), as_run(make_row("new", [1])))
        self.assertEqual([(line[0], line[-1]) for line in lines], [("new", "new"), ("old", "gone")])

    def test_the_program_ends_with_0_and_refuses_other_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "a.json")
            path.write_text(json.dumps(as_run(make_row("noop", [1, 2, 3]))))
            same = subprocess.run([ROOT / "bench/compare", path, path], capture_output=True, text=True, check=False)
            self.assertEqual(same.returncode, 0, same.stderr)
            self.assertIn("same within spread", same.stdout)
            path.write_text("[]")
            other = subprocess.run([ROOT / "bench/compare", path, path], capture_output=True, text=True, check=False)
            self.assertEqual(other.returncode, 1)
            self.assertIn("not a result of bench/run", other.stderr)


class Table(unittest.TestCase):
    def test_missed_and_failed_rows_are_in_it(self):
        missed = make_row("noop", [10], [20], harness.Target(ratio_min=1), coordinator_kib=4)
        made = report.table([as_run(missed, failed=[{"row": "each", "error": "no such file"}])])
        self.assertIn("| `noop` | 10 tasks/s | 20 | 0.50 | 0% |  | ≥ 1 × floor: **missed** | 0 | coordinator kib 4 |", made)
        self.assertIn("| `each` | FAILED |", made)

    def test_the_last_run_of_a_row_counts(self):
        made = report.table([as_run(make_row("noop", [10])), as_run(make_row("noop", [30]))])
        self.assertNotIn("| 10 tasks/s |", made)
        self.assertIn("| 30 tasks/s |", made)

    def test_it_goes_between_the_markers(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "README.md")
            page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
            report.put_table(page, [as_run(make_row("noop", [10]))])
            text = page.read_text()
            self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))
            self.assertNotIn("old", text)
            page.write_text("nothing")
            with self.assertRaises(harness.Failed):
                report.put_table(page, [])


class Plots(unittest.TestCase):
    def test_lines_are_an_svg_with_every_point(self):
        made = xml.fromstring(plot.line_chart("A <title>", "x", {"tasks": [(1e3, 0.2), (1e7, 0.1)], "one": [(1, 1)]}, "x", "y"))
        space = "{http://www.w3.org/2000/svg}"
        self.assertEqual(len(made.findall(f"{space}circle")), 3)
        for circle in made.findall(f"{space}circle"):
            self.assertTrue(0 <= float(circle.get("cx")) <= plot.WIDTH)

    def test_bars_show_what_was_skipped(self):
        rows = [{"row": "noop", "unit": "tasks/s", "better": "more", "values": {"Zonda": 2e6, "Other": 1e3, "Gone": None}}]
        made = plot.bar_chart("t", "s", rows, ["Zonda", "Other", "Gone"])
        xml.fromstring(made)
        self.assertEqual(made.count("skipped"), 1)
        lengths = [float(w) for w in re.findall(r"<rect [^>]*width='([0-9.]+)' height='13'", made)]
        self.assertGreater(lengths[0], lengths[1])

    def test_a_row_that_everybody_skips_is_drawn(self):
        rows = [{"row": "noop", "unit": "tasks/s", "better": "more", "values": {"Zonda": None}}]
        xml.fromstring(plot.bar_chart("t", "s", rows, ["Zonda"]))

    def test_files_are_made_of_what_there_is(self):
        points = {"tasks": [[1000, 0.5], [10000, 0.4]]}
        peers = {"peers": ["Zonda"], "rows": [{"row": "one", "unit": "ms", "better": "less", "values": {"Zonda": 1.0}}]}
        with tempfile.TemporaryDirectory() as folder:
            runs = [as_run(make_row("scale tasks", [0.5], points=points))]
            made = report.put_plots(pathlib.Path(folder), runs, [peers])
            self.assertEqual([p.name for p in made], ["scale.svg", "peers.svg"])
            for path in made:
                xml.fromstring(path.read_text())
            self.assertEqual(report.put_plots(pathlib.Path(folder), [as_run()], []), [])


class Scale(unittest.TestCase):
    def test_a_line_is_as_steep_as_its_extremes_within_a_turn(self):
        costs = iter([2.0, 1.0, 3.0, 4.0, 4.0, 2.0])
        row = rows_tasks.scale_row(harness.Bench(build=ROOT, repeat=2), "tasks", "line", [10, 100, 1000], lambda _: next(costs),
                                   harness.Target(value_max=1.3))
        self.assertEqual(row.values, [3.0, 2.0])
        self.assertEqual(row.extra["points"], {"line": [[10, 3.0], [100, 2.5], [1000, 2.5]]})
        self.assertEqual(row.extra["us_at_1000"], 2.5)
        self.assertFalse(row.met)

    def test_its_points_are_in_the_plot_and_not_in_the_table(self):
        row = make_row("scale tasks", [1.1], points={"line": [[10, 1.0]]}, us_at_10=1.0)
        self.assertEqual(report.scale_series([as_run(row)]), {"line": [[10, 1.0]]})
        self.assertNotIn("line", report.table([as_run(row)]))


class Readme(unittest.TestCase):
    def test_every_row_is_described(self):
        listed = subprocess.run([sys.executable, ROOT / "bench/run", "--list"], capture_output=True, text=True, check=True).stdout
        text = (ROOT / "bench/README.md").read_text()
        section = text[text.index("## Rows"):text.index("## Last table")]
        self.assertLessEqual(set(listed.split()), set(re.findall(r"^\| `([\w-]+)` \|", section, re.M)))

    def test_help_describes_every_row(self):
        text = subprocess.run([sys.executable, ROOT / "bench/run", "--help"], capture_output=True, text=True, check=True).stdout
        for line in text[text.index("rows:"):].split("\n")[1:]:
            self.assertRegex(line, r"^$|^  [\w-]+ +\S+ \S+")


if __name__ == "__main__":
    unittest.main()
