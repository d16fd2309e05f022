"""Draws the house from its own imports: the picture and the tables of rooms in ARCHITECTURE.md.

    python scripts/draw_architecture.py            # writes both
    python scripts/draw_architecture.py --check    # exit 1 when one of them is stale

The floors are those of the import-linter contracts in pyproject.toml, the arrows those that the
code has. An arrow that follows from others is left out, so that the picture can be read.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from math import fsum
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = "work_data_hub"
TOUR = ROOT / "ARCHITECTURE.md"
PICTURE = ROOT / "docs" / "architecture.svg"
SCHEMA, DOMAIN = f"{PACKAGE}.io.schema", f"{PACKAGE}.domain"
LEAVES = [[f"{PACKAGE}.config"], [f"{PACKAGE}.errors"], [f"{PACKAGE}.redaction"]]

BOX_HEIGHT, FLOOR_HEIGHT, GAP, LETTER, MARGIN = 34, 68, 22, 7.3, 24
COLOURS = {"cli": "#e8f0fe", "testing": "#e8f0fe", "io": "#fef7e0", "domain": "#e6f4ea"}
LEAF_COLOUR = "#f1f3f4"


class Box(NamedTuple):
    """A wing in the picture; x and y are its upper left corner, in pixels."""

    name: str
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        """Where arrows start and end, from the left."""
        return self.x + self.width / 2


def floors() -> list[list[str]]:
    """Return the wings, floor by floor from the top, as the contracts have them."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]

    def of(container: str) -> list[list[str]]:
        layers = next(each["layers"] for each in contracts if each.get("containers") == [container])
        return [[f"{container}.{name.strip()}" for name in layer.split("|")] for layer in layers]

    doors = [[f"{PACKAGE}.cli", f"{PACKAGE}.testing"]]
    runs, types = [[f"{PACKAGE}.io.runs"]], [[f"{PACKAGE}.io.column_types"]]
    return doors + runs + of(SCHEMA) + types + of(DOMAIN) + LEAVES


def arrows(wings: list[str]) -> set[tuple[str, str]]:
    """Return which wing imports which, without what follows from other arrows."""
    graph = grimp.build_graph(PACKAGE)
    home = {
        module: wing
        for module in graph.modules
        for wing in wings
        if module == wing or module.startswith(f"{wing}.")
    }
    found = {
        (home[importer], home[imported])
        for importer in home
        for imported in graph.find_modules_directly_imported_by(importer)
        if imported in home and home[importer] != home[imported]
    }
    below = {wing: {low for high, low in found if high == wing} for wing in wings}

    def reaches(start: str, end: str) -> bool:
        return end in below[start] or any(reaches(each, end) for each in below[start])

    return {
        (high, low)
        for high, low in found
        if not any(reaches(between, low) for between in below[high] if between != low)
    }


def picture() -> str:
    """Return the SVG."""
    rows = floors()
    boxes = {box.name: box for box in _placed(rows)}
    width = max(box.x + box.width for box in boxes.values()) + MARGIN
    height = len(rows) * FLOOR_HEIGHT + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#5f6368"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        *(_arrow(boxes[high], boxes[low]) for high, low in sorted(arrows(list(boxes)))),
        *(_drawn(box) for box in boxes.values()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _placed(rows: list[list[str]]) -> list[Box]:
    widths = [[len(_label(wing)) * LETTER + 26 for wing in row] for row in rows]
    # Not `sum`: since Python 3.12 it rounds otherwise.
    longest = max(fsum(row) + GAP * (len(row) - 1) for row in widths)
    placed: list[Box] = []
    for number, (row, of_row) in enumerate(zip(rows, widths, strict=True)):
        x = MARGIN + (longest - fsum(of_row) - GAP * (len(row) - 1)) / 2
        for wing, width in zip(row, of_row, strict=True):
            placed.append(Box(wing, x, MARGIN + number * FLOOR_HEIGHT, width))
            x += width + GAP
    return placed


def _label(wing: str) -> str:
    return wing.removeprefix(f"{PACKAGE}.").replace(".", "/")


def _drawn(box: Box) -> str:
    colour = COLOURS.get(_label(box.name).split("/")[0], LEAF_COLOUR)
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{BOX_HEIGHT}"'
        f' rx="6" fill="{colour}" stroke="#5f6368"/>'
        f'<text x="{box.middle:.1f}" y="{box.y + 22:.1f}" text-anchor="middle">'
        f"{escape(_label(box.name))}</text>"
    )


def _arrow(high: Box, low: Box) -> str:
    start, end = high.y + BOX_HEIGHT, low.y - 1
    bend = (end - start) / 2
    return (
        f'<path d="M{high.middle:.1f} {start:.1f} C{high.middle:.1f} {start + bend:.1f}'
        f' {low.middle:.1f} {end - bend:.1f} {low.middle:.1f} {end:.1f}" fill="none"'
        ' stroke="#5f6368" marker-end="url(#tip)"/>'
    )


def tour(text: str) -> str:
    """Return the text of ARCHITECTURE.md with each table of rooms as the code has it.

    A table stands behind a line ``<!-- rooms: FOLDER -->``.
    """
    return re.sub(
        r"(<!-- rooms: (\S+) -->\n)(?:\|[^\n]*\n)*",
        lambda found: found[1] + _table(found[2]),
        text,
    )


def _table(folder: str) -> str:
    rooms = sorted((ROOT / "src" / PACKAGE / folder).glob("[a-z]*.py"))
    rows = [f"| `{room.stem}` | {_summary(room)} |" for room in rooms]
    return "".join(f"{row}\n" for row in ["| room | its one job |", "| --- | --- |", *rows])


def _summary(room: Path) -> str:
    """Return the first line of a room's docstring, as a part of a sentence."""
    line = (ast.get_docstring(ast.parse(room.read_text(encoding="utf-8"))) or "").splitlines()[0]
    first, second, *_ = [*line.split(" ", 1), ""]
    is_name = not first[1:].islower() and len(first) > 1
    return f"{first if is_name else first.lower()} {second}".strip().removesuffix(".")


def main() -> int:
    """Write the picture and the tables, or say which of them is stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    check = parser.parse_args().check
    made = {PICTURE: picture(), TOUR: tour(TOUR.read_text(encoding="utf-8"))}
    stale = [
        path
        for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is {'stale' if check else 'written'}")
        if not check:
            path.write_text(made[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
