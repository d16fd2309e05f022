"""Draw docs/run-cost.svg and the tables of docs/performance.md from docs/run-cost.json.

python benchmarks/run_cost.py --json docs/run-cost.json
python scripts/draw_costs.py            # write both
python scripts/draw_costs.py --check    # exit 1 when one of them is not what the figures say
"""

from __future__ import annotations

import json
import math
import sys
from html import escape
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = DOCS / "run-cost.json"
PICTURE = DOCS / "run-cost.svg"
PAGE = DOCS / "performance.md"
PLAIN, GUARDED = "plain", "guarded"
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
ROWS = {
    "empty database": "all, on an empty database",
    "one pending": "one pending behind them",
    "at head": "nothing to do",
}
# Blue and orange that differ for everybody (Okabe and Ito), readable on white and on black.
COLOURS = {PLAIN: "#e69f00", GUARDED: "#0096d6"}
DASHES = {"one pending": "", "at head": "4 3"}
WIDTH, HEIGHT = 380, 240
LEFT, TOP, RIGHT, BOTTOM = 46, 34, 20, 40

Figure = dict[str, Any]


def table(figures: list[Figure], engine: str) -> str:
    """Return the medians of one engine as a table, in seconds."""
    lines = [
        "| revisions | run | plain | plain, one transaction each | guarded | of plain |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure in figures:
        if figure["engine"] == engine:
            for row, named in ROWS.items():
                seconds = figure["seconds"][row]
                cells = " | ".join(f"{value:.3f}" for value in seconds.values())
                ratio = f"{seconds[GUARDED] / seconds[PLAIN]:.2f}"
                lines.append(f"| {figure['revisions']:,} | {named} | {cells} | {ratio} |")
    return "\n".join(lines)


def picture(figures: list[Figure]) -> str:
    """Return the time of one pending revision, and of none, over the number of revisions."""
    panels = [
        panel([each for each in figures if each["engine"] == engine], title, number * WIDTH)
        for number, (engine, title) in enumerate(ENGINES.items())
    ]
    width, height = WIDTH * len(panels), HEIGHT + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="11" fill="#808080">\n'
        f"{''.join(panels)}{legend(HEIGHT + 12)}</svg>\n"
    )


def panel(figures: list[Figure], title: str, left: int) -> str:
    """Return the axes and the lines of one engine."""
    counts: list[int] = [figure["revisions"] for figure in figures]
    highest: float = max(
        seconds
        for figure in figures
        for row in DASHES
        for name, seconds in figure["seconds"][row].items()
        if name in COLOURS
    )
    top = math.ceil(highest * 5) / 5

    def x(count: int) -> float:
        share = math.log(count / counts[0]) / math.log(counts[-1] / counts[0])
        return left + LEFT + float(share) * (WIDTH - LEFT - RIGHT)

    def y(seconds: float) -> float:
        return HEIGHT - BOTTOM - seconds / top * (HEIGHT - TOP - BOTTOM)

    parts = [text(left + LEFT, 18, title, bold=True)]
    for step in range(round(top / 0.2) + 1):
        at = y(step * 0.2)
        parts.append(line(left + LEFT, at, left + WIDTH - RIGHT, at, "rgba(128,128,128,.3)"))
        parts.append(text(left + LEFT - 6, at + 4, f"{step * 0.2:.1f} s", anchor="end"))
    below = HEIGHT - BOTTOM + 16
    parts += [text(x(count), below, f"{count:,}", anchor="middle") for count in counts]
    middle = left + (LEFT + WIDTH - RIGHT) / 2
    parts.append(text(middle, below + 14, "revisions", anchor="middle"))
    for row, dash in DASHES.items():
        for name, colour in COLOURS.items():
            points = [
                f"{x(figure['revisions']):.1f},{y(figure['seconds'][row][name]):.1f}"
                for figure in figures
            ]
            parts.append(
                f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}"'
                f' stroke-width="2" stroke-dasharray="{dash}"/>\n'
            )
    return "".join(parts)


def legend(top: float) -> str:
    """Return what each line is."""
    parts, left = [], LEFT
    for name, colour in COLOURS.items():
        for row, dash in DASHES.items():
            parts.append(line(left, top - 4, left + 24, top - 4, colour, width=2, dash=dash))
            parts.append(text(left + 30, top, f"{name}, {ROWS[row].removesuffix(' behind them')}"))
            left += 178
    return "".join(parts)


def text(x: float, y: float, said: str, *, anchor: str = "start", bold: bool = False) -> str:
    """Return words at a place."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(said)}</text>\n'


def line(
    x: float, y: float, to_x: float, to_y: float, colour: str, *, width: int = 1, dash: str = ""
) -> str:
    """Return a straight line."""
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"'
        f' stroke-width="{width}" stroke-dasharray="{dash}"/>\n'
    )


def with_tables(page: str, figures: list[Figure]) -> str:
    """Return the page with the tables that stand behind its marks."""
    for engine in ENGINES:
        mark = f"<!-- figures: {engine} -->\n"
        before, _, behind = page.partition(mark)
        _, end, rest = behind.partition("\n\n")
        page = "".join([before, mark, table(figures, engine), end, rest])
    return page


def main() -> None:
    """Write what is stale, or say what is."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    drawn = {PICTURE: picture(figures), PAGE: with_tables(page, figures)}
    stale = [
        path
        for path, content in drawn.items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]
    if sys.argv[1:] == ["--check"]:
        for path in stale:
            print(f"docs/{path.name} is stale")
        sys.exit(bool(stale))
    for path in stale:
        path.write_text(drawn[path], encoding="utf-8")
        print(f"docs/{path.name} is written")


if __name__ == "__main__":
    main()
