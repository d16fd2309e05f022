"""What a person does in a day: types commands, reads what they say, and types what a hint says.

Every command must end as the page of the command line says, without a traceback; whoever is given a
hint can take the command out of it, and so it is proved that the hint leads on.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.io.schema.database.row_counts import row_counts
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot.reader import read_schema

if TYPE_CHECKING:
    from sqlalchemy.engine import URL
    from tests.warm_python import Program, WarmPythons

_PROGRAMS = {
    "wdh": ("-m", "work_data_hub"),
    "alembic": ("-m", "alembic"),
    "flask": ("-m", "flask"),
    "python": (),
}
_AT = str(Path(__file__).with_name("at.py"))
_VARIABLE = re.compile(r"([A-Z_]+)=(.*)")
_WORD = re.compile(r"[A-Z]{2,}")
_COMMAND = r"(?:[A-Z_]+=\S+ )*(?:wdh|alembic|python scripts)\b"
_IN_HINT = re.compile(rf"`({_COMMAND}[^`]*)`|({_COMMAND} [^`;,()]*[^`;,() :])")
"""A command between backticks, or what stands without them up to the end of its clause."""


@dataclass(frozen=True)
class Said:
    """What a command said.

    Attributes:
        command: as it was typed.
        exit_code: as a shell has it.
    """

    command: str
    exit_code: int
    out: str
    err: str

    @property
    def hints(self) -> list[str]:
        """The commands that it names to the one who reads it, in their order."""
        return [
            "".join(found.groups(""))
            for line in f"{self.out}\n{self.err}".splitlines()
            for found in _IN_HINT.finditer(line)
        ]

    def hint(self, of: str) -> str:
        """Return the one command that it names with this text in it, to be typed as it stands."""
        (command,) = {each for each in self.hints if of in each} or {""}
        assert command, f"no {of!r} among {self.hints}\n{self}"
        left = set(_WORD.findall(re.sub(r"[A-Z_]+=", "", command)))
        assert not left, f"{command!r}: what is {left}?"
        return command

    def again(self, option: str) -> str:
        """Return what was typed, with an option that the hint says is missing.

        Args:
            option: its name, such as ``--confirm``; the hint may say its value.
        """
        found = re.search(rf"^hint: (?:.* )?({option}(?: [^\s,;)]+)?)", self.err, re.MULTILINE)
        assert found, f"no {option!r}\n{self}"
        return f"{self.command} {found[1]}"

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.out}{self.err}[{self.exit_code}]\n"


@dataclass
class Person:
    """Somebody at a shell.

    Attributes:
        folder: where the commands are typed.
        environment: the shell's, with the database that is meant.
    """

    folder: Path
    environment: dict[str, str]
    _pythons: WarmPythons = field(repr=False)

    @property
    def url(self) -> URL:
        """The database that is meant."""
        return sa.make_url(self.environment["DATABASE_URL"])

    def types(self, command: str, *, exits: int = 0, at: str = "") -> Said:
        """Type a command, see it end with this code, and return what it said.

        Args:
            command: words, and variables before it, as a shell reads them.
            exits: the code.
            at: a moment such as ``2026-01-05 10:00``, in UTC, which gives new revisions their ids.
        """
        words, environment = self._read(command)
        if words[0] in _PROGRAMS:
            done = self._pythons.run(
                *self._program(words, at), cwd=self.folder, env=environment, timeout=120
            )
        else:
            done = subprocess.run(
                words,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        said = Said(command, done.returncode, done.stdout, done.stderr)
        print(said)
        return self._checked(said, exits)

    def starts(self, command: str) -> Program:
        """Start a command, and go on beside it."""
        words, environment = self._read(command)
        return self._pythons.start(*self._program(words), cwd=self.folder, env=environment)

    def sees_end(self, program: Program, *, exits: int = 0) -> Said:
        """Wait for what was started."""
        said = program.communicate(120)
        assert program.returncode is not None
        return self._checked(Said("(started)", program.returncode, *said), exits)

    def waits_for(self, file: str) -> None:
        """Wait until there is that file, which a revision makes."""
        deadline = time.monotonic() + 60
        while not (self.folder / file).exists():
            assert time.monotonic() < deadline, f"there is no {file}"
            time.sleep(0.01)

    def writes(self, pattern: str, upgrade: str, downgrade: str) -> None:
        """Write what a revision does in place of what its template says.

        Args:
            pattern: of the file's name, which one file has.
            upgrade: lines of code.
            downgrade: lines of code.
        """
        (file,) = self.folder.rglob(f"migrations/*/{pattern}")
        text = file.read_text(encoding="utf-8")
        head = text[: text.index("def upgrade")]
        if "sa." in upgrade + downgrade and "import sqlalchemy" not in head:
            head = head.replace(
                "from alembic import op", "import sqlalchemy as sa\nfrom alembic import op"
            )
        bodies = "".join(
            f"def {name}() -> None:\n    " + body.replace("\n", "\n    ") + "\n\n\n"
            for name, body in (("upgrade", upgrade), ("downgrade", downgrade))
        )
        file.write_text(head + bodies.rstrip() + "\n", encoding="utf-8")

    @staticmethod
    def _program(words: list[str], at: str = "") -> list[str]:
        program = [*_PROGRAMS[words[0]], *words[1:]]
        return [_AT, f"{at}+00:00", *program[1:]] if at else program

    def _read(self, command: str) -> tuple[list[str], dict[str, str]]:
        words, environment = shlex.split(command), dict(self.environment)
        while found := _VARIABLE.fullmatch(words[0]):
            environment[found[1]] = found[2]
            del words[0]
        return words, environment

    @staticmethod
    def _checked(said: Said, exits: int) -> Said:
        assert said.exit_code == exits, f"exit code {said.exit_code} and not {exits}\n{said}"
        assert "Traceback" not in said.err, said
        assert "hunter2" not in f"{said.out}{said.err}", said
        if exits > 1 and said.command.startswith(("wdh ", "alembic ", "python ")):
            assert re.search(r"^error: .*\n(.*\n)?hint: ", said.err, re.MULTILINE), said
        return said


def create(table: str) -> tuple[str, str]:
    """Return what a revision does that makes a table, up and down."""
    return f"op.create_table('{table}', sa.Column('id', sa.Integer()))", f"op.drop_table('{table}')"


def schema(url: URL) -> dict[str, Any]:
    """Return the schema of a database, and in `rows` how many rows are where."""
    with connect(url, read_only=True) as connection:
        objects = {str(item): dict(item.properties) for item in read_schema(connection)}
        return {"schema": objects, "rows": row_counts(connection)}
