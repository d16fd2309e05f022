"""Draw docs/terminal-{light,dark}.svg: a real session on a terminal, as it was seen there.

    python scripts/draw_terminal.py            # run the commands, and write the pictures
    python scripts/draw_terminal.py --check    # exit 1 when they are not what the commands show

The commands are run in a new project in a temporary folder, on a pseudo-terminal. What differs from
run to run (how long a revision took) is drawn as one and the same number.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI, TerminalTheme
from rich.text import Text

DOCS = Path(__file__).parents[1] / "docs"
COLUMNS = 100
THEMES = {
    "light": TerminalTheme(
        (255, 255, 255),
        (36, 41, 47),
        [
            (36, 41, 47),
            (180, 35, 24),
            (17, 99, 41),
            (125, 78, 0),
            (9, 105, 218),
            (130, 80, 223),
            (27, 124, 131),
            (87, 96, 106),
        ],
    ),
    "dark": DIMMED_MONOKAI,
}
REVISIONS = {
    "20260105_0900": ("create_customers", "customers (id INTEGER)"),
    "20260112_0900": ("create_orders", "orders (id INTEGER)"),
    "20260119_0900": ("create_payments", "payments (id INTEGER)"),
}
SESSION = (
    "wdh db upgrade",
    "wdh db downgrade -1",
    "ENVIRONMENT=dev wdh db upgrade",
    "wdh db status --check",
)
_REVISION = '''"""{title}."""

from alembic import op

revision = "{revision}"
down_revision = {parent!r}


def upgrade() -> None:
    op.execute("CREATE TABLE {table}")


def downgrade() -> None:
    op.execute("DROP TABLE {name}")
'''
_SECONDS = re.compile(r"\d+\.\d\d s")


def seen(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a command on a terminal, and return what stays on it when it has ended."""
    words = shlex.split(command)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment = {**environment, name: value}
    ours, theirs = pty.openpty()
    program = [sys.executable, "-m", "work_data_hub", *words[1:]]
    process = subprocess.Popen(
        program, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end has been closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    process.wait()
    return _SECONDS.sub("0.02 s", settled(shown.decode()))


def settled(shown: str) -> str:
    """Return what is left of a text after each line that was erased is gone."""
    lines = [""]
    row = 0
    for part in re.split(r"(\x1b\[\d*A|\x1b\[2K|\r\n|\n|\r|\x1b\[\?25[lh])", shown):
        if part.endswith("\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K" or (part == "\r" and not lines[row]):
            lines[row] = ""
        elif found := re.fullmatch(r"\x1b\[(\d*)A", part):
            row -= int(found[1] or 1)
        elif not part.startswith("\x1b[?") and part != "\r":
            lines[row] += part
    return "\n".join(lines).rstrip()


def prepare(folder: Path, environment: dict[str, str]) -> None:
    """Make a project with three revisions."""
    command = [sys.executable, "-m", "work_data_hub", "db", "init", "--quiet"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    parent = None
    for revision, (name, table) in REVISIONS.items():
        text = _REVISION.format(
            title=name.replace("_", " ").capitalize(),
            revision=revision,
            parent=parent,
            table=table,
            name=table.split()[0],
        )
        file = folder / "migrations" / "versions" / f"{revision}_{name}.py"
        file.write_text(text, encoding="utf-8")
        parent = revision
    (folder / "migrations" / "heads.txt").write_text(f"{parent}\n", encoding="utf-8")


def session() -> Text:
    """Run the commands; return what a person saw, with its colours."""
    ours = ("DATABASE_URL", "WDH_", "ENVIRONMENT", "NO_COLOR", "FORCE_COLOR", "COLORTERM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    text = Text()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {
            **kept,
            "COLUMNS": str(COLUMNS),
            "TERM": "xterm-256color",
            "DATABASE_URL": "sqlite:///shop.db",
            "ENVIRONMENT": "staging",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        prepare(folder, environment)
        for command in SESSION:
            text.append("$ ", style="dim").append(f"{command}\n", style="bold")
            shown = seen(command, folder, environment).replace(f"{folder}{os.sep}", "")
            text.append_text(Text.from_ansi(f"{shown}\n")).append("\n\n")
    text.rstrip()
    return text


def drawn(text: Text, theme: TerminalTheme) -> str:
    """Return the session as SVG."""
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(text)
    svg = console.export_svg(title="wdh db", theme=theme, unique_id="terminal")
    # The letters are those of the reader's machine: a page loads nothing from elsewhere.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<!--.*?-->", "", svg)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def main(check: bool) -> int:
    """Write the pictures, or say which are not what the commands show."""
    text, stale = session(), 0
    for name, theme in THEMES.items():
        file = DOCS / f"terminal-{name}.svg"
        svg = drawn(text, theme)
        if check and (not file.is_file() or file.read_text(encoding="utf-8") != svg):
            print(f"{file.name} is not what the commands show: run `make pictures`")
            stale = 1
        elif not check:
            file.write_text(svg, encoding="utf-8")
            print(f"{file.name} is written")
    return stale


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
