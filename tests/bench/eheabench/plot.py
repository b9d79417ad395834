# SPDX-License-Identifier: GPL-2.0-or-later
"""Plots as SVG inside a page of HTML that needs nothing else."""

import html

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 60, 10, 22, 36
STYLE = """body{font:14px/1.4 sans-serif;margin:2em auto;max-width:960px}
table{border-collapse:collapse;margin:1em 0}
td,th{border:1px solid #bbb;padding:3px 8px;text-align:right}
td:first-child,th:first-child{text-align:left}
svg{background:#fff;display:block;margin:.5em 0 1.5em}
svg text{font:11px sans-serif}h2{margin-top:2em}
.miss{background:#fdd}"""


def number(value, digits=3):
    """A figure for a reader."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _ticks(top, count=5):
    step = 1
    for step in (s * 10 ** e for e in range(-4, 12) for s in (1, 2, 5)):
        if top / step <= count:
            break
    return [i * step for i in range(int(top / step + 1e-9) + 1)]


class Axes:
    """The frame of one plot and the scales of its two axes."""

    def __init__(self, title, x_max, y_max, x_label, y_label, height=190):
        self.x_max, self.y_max, self.height = x_max or 1, y_max or 1, height
        self.parts = [
            f'<text x="{LEFT}" y="14" font-weight="bold">'
            f'{html.escape(title)}</text>',
            f'<text x="{(LEFT + WIDTH) / 2}" y="{height - 4}" '
            f'text-anchor="middle">{html.escape(x_label)}</text>',
            f'<text transform="translate(12,{height / 2}) rotate(-90)" '
            f'text-anchor="middle">{html.escape(y_label)}</text>']
        for y in _ticks(self.y_max):
            self.line(0, y, self.x_max, y, "#ddd")
            self.text(LEFT - 4, self.y(y) + 4, f"{y:g}", "end")

    def x(self, value):
        """Pixels of a value on the x axis."""
        return LEFT + value / self.x_max * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        """Pixels of a value on the y axis."""
        return self.height - BOTTOM - value / self.y_max * \
            (self.height - BOTTOM - TOP)

    def text(self, x, y, text, anchor="start", colour="#000"):
        """A text at a place in pixels."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" '
                          f'text-anchor="{anchor}">{html.escape(text)}</text>')

    def line(self, x0, y0, x1, y1, colour, dash=""):
        """A line between two points of the axes."""
        self.parts.append(
            f'<line x1="{self.x(x0):.1f}" y1="{self.y(y0):.1f}" '
            f'x2="{self.x(x1):.1f}" y2="{self.y(y1):.1f}" stroke="{colour}" '
            f'stroke-dasharray="{dash}"/>')

    def svg(self):
        """The plot."""
        return f'<svg width="{WIDTH}" height="{self.height}" ' \
            f'viewBox="0 0 {WIDTH} {self.height}">' + "".join(self.parts) + \
            "</svg>"


def timeline(title, series, marks, step, y_label, y_max=None, unit="s"):
    """Counts over time. series: (name, values) pairs; marks: (time, text)
    pairs; step: time between two values."""
    length = max(len(values) for _, values in series)
    top = y_max or max(max(values, default=1) for _, values in series)
    axes = Axes(title, length * step, top, unit, y_label)
    for t in _ticks(length * step, 15):
        axes.text(axes.x(t), axes.height - 20, f"{t:g}", "middle")
    for n, (name, values) in enumerate(series):
        points = " ".join(f"{axes.x(i * step):.1f},"
                          f"{axes.y(min(v, top)):.1f}"
                          for i, v in enumerate(values))
        axes.parts.append(f'<polyline points="{points}" fill="none" '
                          f'stroke="{COLOURS[n]}" stroke-width="0.8"/>')
        axes.text(WIDTH - RIGHT, 14 + 12 * n, name, "end", COLOURS[n])
    for n, (when, text) in enumerate(marks):
        axes.line(when, 0, when, top, "#000", "3,3")
        axes.text(axes.x(when) + 2, TOP + 10 + 11 * (n % 3), text)
    return axes.svg()


def bars(title, groups, names, y_label):
    """Groups of bars. groups: (label, values) pairs, a value may be None."""
    top = max((v for _, values in groups for v in values if v), default=1)
    axes = Axes(title, len(groups), top * 1.1, "", y_label, 220)
    width = 0.8 / len(names)
    for g, (label, values) in enumerate(groups):
        axes.text(axes.x(g + 0.5), axes.height - 20, label, "middle")
        for n, value in enumerate(values):
            if value is None:
                continue
            x, y = axes.x(g + 0.1 + n * width), axes.y(value)
            axes.parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" fill="{COLOURS[n]}" '
                f'width="{axes.x(width) - LEFT - 1:.1f}" '
                f'height="{axes.y(0) - y:.1f}"/>')
            axes.text(x + 1, y - 2, number(value))
    for n, name in enumerate(names):
        axes.text(WIDTH - RIGHT, 14 + 12 * n, name, "end", COLOURS[n])
    return axes.svg()


def table(head, rows):
    """A table; a row's last field may be a dictionary of attributes."""
    out = ["<table><tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in head)
           + "</tr>"]
    for row in rows:
        css = ""
        if row and isinstance(row[-1], dict):
            css, row = f' class="{row[-1]["class"]}"', row[:-1]
        out.append(f"<tr{css}>" + "".join(
            f"<td>{html.escape(number(c))}</td>" for c in row) + "</tr>")
    return "\n".join(out) + "</table>"


def page(title, parts):
    """The whole page. parts are pieces of HTML."""
    return "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">" \
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>" \
        f"<body><h1>{html.escape(title)}</h1>\n" + "\n".join(parts) + \
        "\n</body></html>\n"


def text_table(head, rows):
    """The same for a terminal."""
    cells = [head] + [[number(c) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in cells) for i in range(len(head))]
    return "\n".join("  ".join(
        c.ljust(w) if i == 0 else c.rjust(w)
        for i, (c, w) in enumerate(zip(row, widths))) for row in cells)
