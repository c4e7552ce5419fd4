# SPDX-License-Identifier: MPL-2.0
"""The plots in bench/, as SVG: lines over logarithmic axes, and bars of one work in many programs. What they show comes from
the JSON of bench/run and bench/peers/run. Nothing but text is made here."""
import html
import math

WIDTH = 760
COLOURS = ("#0b6e99", "#c4501b", "#4f7d2c", "#7a4fa3", "#a8811a", "#5b6770", "#b03a64", "#2b8a7e")
FONT = "font-family='system-ui, sans-serif'"


def number(value):
    """1000000 → 1 M"""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def text(x, y, words, size=12, anchor="start", colour="#333", more=""):
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' fill='{colour}'{more}>"
            f"{html.escape(words)}</text>")


def page(height, title, subtitle, parts):
    """A whole SVG file."""
    head = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' "
            f"height='{height:.0f}' role='img' {FONT}>", f"<title>{html.escape(title)}</title>",
            "<rect width='100%' height='100%' fill='#fff'/>", text(24, 30, title, 17, more=" font-weight='600'"),
            text(24, 48, subtitle, 11, colour="#777")]
    return "\n".join([*head, *parts, "</svg>", ""])


class Axis:
    """Values to places on a logarithmic axis; whole decades, and all of the values within."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.start, self.end = start, end

    def place(self, value):
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def marks(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def line_chart(title, subtitle, series, x_label, y_label):
    """`series`: {name: [(x, y), …]}, all above 0."""
    points = [point for line in series.values() for point in line]
    left, right, top, bottom = 76, WIDTH - 30, 74, 350
    x_axis, y_axis = Axis([p[0] for p in points], left, right), Axis([p[1] for p in points], bottom, top)
    parts = []
    for mark in x_axis.marks():
        at = x_axis.place(mark)
        parts += [f"<line x1='{at:.1f}' y1='{top}' x2='{at:.1f}' y2='{bottom}' stroke='#eee'/>",
                  text(at, bottom + 18, number(mark), 11, "middle")]
    for mark in y_axis.marks():
        at = y_axis.place(mark)
        parts += [f"<line x1='{left}' y1='{at:.1f}' x2='{right}' y2='{at:.1f}' stroke='#eee'/>",
                  text(left - 8, at + 4, number(mark), 11, "end")]
    parts += [text((left + right) / 2, bottom + 40, x_label, 12, "middle"),
              text(20, (top + bottom) / 2, y_label, 12, "middle",
                   more=f" transform='rotate(-90 20 {(top + bottom) / 2:.1f})'")]
    for index, (name, line) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        places = [(x_axis.place(x), y_axis.place(y)) for x, y in sorted(line)]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f"<polyline points='{joined}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'><title>{html.escape(name)}: {number(v[0])}, "
                  f"{number(v[1])}</title></circle>" for (x, y), v in zip(places, sorted(line))]
        parts += [f"<rect x='{left}' y='{bottom + 56 + 18 * index - 9}' width='10' height='10' fill='{colour}'/>",
                  text(left + 16, bottom + 56 + 18 * index, name, 12)]
    return page(bottom + 66 + 18 * len(series), title, subtitle, parts)


def bar_group(row, peers, top):
    """The bars of one row, and the height that they take."""
    left, right, step = 190, WIDTH - 150, 17
    values = [v for v in row["values"].values() if v]
    better = "more is better" if row["better"] == "more" else "less is better"
    parts = [text(24, top + 12, row["row"], 13, more=" font-weight='600'"),
             text(right + 126, top + 12, f"{row['unit']}, {better}", 11, "end", "#777")]
    axis = Axis([*values, min(values, default=1) / 2], left, right) if values else None
    for index, peer in enumerate(peers):
        at = top + 22 + index * step
        value = row["values"].get(peer)
        parts.append(text(left - 8, at + 11, peer, 12, "end"))
        if value:
            colour = COLOURS[0] if peer.startswith("Zonda") else "#b9c0c6"
            end = axis.place(value)
            parts += [f"<rect x='{left}' y='{at}' width='{end - left:.1f}' height='{step - 4}' fill='{colour}'/>",
                      text(end + 6, at + 11, number(value), 11)]
        else:
            parts.append(text(left, at + 11, "skipped", 11, colour="#999"))
    return parts, 22 + len(peers) * step + 16


def bar_chart(title, subtitle, rows, peers):
    """`rows` and `peers` as in the JSON of bench/peers/run. The scale of every row is its own, and logarithmic."""
    parts, top = [], 66
    for row in rows:
        made, height = bar_group(row, peers, top)
        parts += made
        top += height
    return page(top + 8, title, subtitle, parts)
