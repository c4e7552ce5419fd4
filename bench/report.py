# SPDX-License-Identifier: MPL-2.0
"""What is made of the JSON of bench/run and bench/peers/run: the last table of bench/README.md and the plots beside it."""
import json

import harness
import plot

BEGIN, END = "<!-- last table: bench/run --table -->", "<!-- end of the last table -->"


def read(paths):
    """(results of bench/run, results of bench/peers/run)"""
    runs, peers = [], []
    for path in paths:
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise harness.Failed(f"{path} cannot be read: {error}") from None
        if not isinstance(content, dict) or "rows" not in content:
            raise harness.Failed(f"{path} is not a result of --json")
        (peers if "peers" in content else runs).append(content)
    return runs, peers


def machine_words(run):
    machine = run["machine"]
    words = (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, kernel "
             f"{machine['kernel']}, {machine['compiler']}, build {machine['build'].get('buildtype', '?')}, commit "
             f"{machine['commit']}, {machine['time'][:10]}, {run['repeat']} repeats")
    return words + (", **quick: small sizes**" if run["quick"] else "")


def cell(value):
    return harness.number(value) if isinstance(value, (int, float)) else str(value)


def table_line(row):
    met = "" if row["met"] is None else f"{row['target']}: {'met' if row['met'] else '**missed**'}"
    more = ", ".join(f"{name.replace('_', ' ')} {cell(value)}" for name, value in row["extra"].items() if name != "points")
    peak = "" if row["peak_kib"] is None else f"{row['peak_kib'] / 1024:.0f} MiB"
    return [f"`{row['row']}`", f"{harness.number(row['value'])} {row['unit']}", harness.number(row["floor"]),
            "" if row["ratio"] is None else f"{row['ratio']:.2f}", f"{row['spread']:.0%}", peak, met, f"{row['load']:.0f}", more]


def table(runs):
    """Markdown; a row that several runs have is that of the last."""
    rows = {row["row"]: row for run in runs for row in run["rows"]}
    lines = [["row", "value", "floor", "ratio", "spread", "peak", "target", "load", "more"], ["---"] * 9]
    lines += [table_line(row) for row in rows.values()]
    failed = {f["row"]: f["error"] for run in runs for f in run["failed"] if f["row"] not in {r.split()[0] for r in rows}}
    lines += [[f"`{name}`", "FAILED", "", "", "", "", "", "", error] for name, error in failed.items()]
    machines = list(dict.fromkeys(machine_words(run) for run in runs))
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + [""] + machines)


def put_table(readme, runs):
    """Replaces what is between the markers."""
    head, _, rest = readme.read_text().partition(BEGIN)
    _, marker, tail = rest.partition(END)
    if not marker:
        raise harness.Failed(f"{readme} has no markers for the table")
    readme.write_text(f"{head}{BEGIN}\n\n{table(runs)}\n\n{END}{tail}")


def scale_series(runs):
    """{unit of x: {name: points}} of the rows `scale …`, whose `extra` has the points of a line: {"points": {name: [[x, y], …]}}."""
    series = {}
    for run in runs:
        for row in run["rows"]:
            if row["row"].split()[0] == "scale":
                series.update(row["extra"].get("points", {}))
    return series


def subtitle(run):
    machine = run.get("machine", {})
    words = [f"{machine[fact]}" for fact in ("cpu", "commit") if machine.get(fact)]
    words += [f"{machine['cores']} cores"] if machine.get("cores") else []
    return ", ".join(words + (["QUICK: small sizes"] if run.get("quick") else []))


def put_plots(folder, runs, peers):
    """Writes scale.svg and peers.svg, each if there is something to show; returns the paths."""
    made = {}
    series = scale_series(runs)
    if series:
        made["scale.svg"] = plot.line_chart("Cost per task", subtitle(runs[-1]), series, "tasks or workers", "µs per task")
    if peers:
        made["peers.svg"] = plot.bar_chart("The same work side by side", subtitle(peers[-1]) or "two slots each",
                                           peers[-1]["rows"], peers[-1]["peers"])
    for name, content in made.items():
        (folder / name).write_text(content)
    return [folder / name for name in made]
