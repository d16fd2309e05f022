"""`init`: what `alembic init` makes, or an empty folder, becomes a project with every guarantee."""

from __future__ import annotations

import configparser
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.config import Config
from sqlalchemy.engine import URL

from work_data_hub.cli.command import main
from work_data_hub.domain.project.env_rewrite import new_env
from work_data_hub.errors import RefusedError, UnusualEnvError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.authoring.project_setup import BACKUP, set_up
from work_data_hub.io.schema.authoring.verification import verify
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Alembic = Callable[..., subprocess.CompletedProcess[str]]

TABLES = """import sqlalchemy as sa
metadata = sa.MetaData()
things = sa.Table("things", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""


def contents(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def make_project(tmp_path: Path, alembic: Alembic) -> Callable[[str], Path]:
    """Make a project as a person does: alembic init, then the metadata."""

    def make(template: str) -> Path:
        folder = tmp_path / "shop"
        folder.mkdir()
        made = alembic("init", "-t", template, "migrations", cwd=folder)
        assert made.returncode == 0, made.stderr
        (folder / "tables.py").write_text(TABLES)
        env = folder / "migrations/env.py"
        env.write_text(
            env.read_text().replace(
                "target_metadata = None",
                "from tables import metadata\ntarget_metadata = metadata",
            )
        )
        return folder

    return make


@pytest.mark.parametrize("template", ["generic", "async", "pyproject"])
def test_what_alembic_init_makes_works_after_it(
    template: str, make_project: Callable[[str], Path], alembic: Alembic, database_url: URL
) -> None:
    project = make_project(template)
    before = (project / "migrations/env.py").read_bytes()
    setup = set_up(project)
    assert setup.left == ()
    assert (project / "migrations" / BACKUP).read_bytes() == before
    for arguments in (
        ("upgrade", "head"),
        ("revision", "--autogenerate", "-m", "things"),
        ("upgrade", "head"),
        ("check",),
        ("upgrade", "head", "--sql"),
    ):
        process = alembic(*arguments, url=database_url, cwd=project)
        assert process.returncode == 0, process.stderr
    assert migration_runner.identity(database_url) is not None
    assert len(migration_runner.history(project / "alembic.ini")) == 1
    after = contents(project)
    assert set_up(project) == setup._replace(done=(), changes=())
    assert contents(project) == after


@pytest.mark.parametrize(
    "url",
    [
        "mssql+pyodbc:///?odbc_connect=DRIVER%%3DX;PWD%%3Dgeheim",
        "snowflake://u@h/db?token=geheim",
        "driver://u:geheim",
    ],
)
def test_a_url_of_another_kind_is_not_printed(
    make_project: Callable[[str], Path], url: str
) -> None:
    project = make_project("generic")
    ini = project / "alembic.ini"
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", url))
    said = "\n".join(set_up(project).done)
    assert f"({url.partition(':')[0]}:***)" in said
    assert "geheim" not in said


def test_a_url_in_alembic_ini_stays_and_is_said_without_its_password(
    make_project: Callable[[str], Path],
) -> None:
    project = make_project("generic")
    ini = project / "alembic.ini"
    url = "postgresql://me:geh%%eim@localhost/shop"
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", url))
    said = "\n".join(set_up(project).done)
    assert "me:***@localhost/shop" in said
    assert "geh" not in said
    parser = configparser.ConfigParser({"here": ""})
    parser.read(ini)
    assert parser.get("alembic", "sqlalchemy.url") == url.replace("%%", "%")


def test_the_naming_rule_comes_when_it_is_asked_for_and_old_names_stay(
    make_project: Callable[[str], Path], alembic: Alembic, sqlite_url: URL
) -> None:
    project = make_project("generic")
    assert alembic("revision", "-m", "old", cwd=project).returncode == 0
    set_up(project)
    assert not (project / "migrations/heads.txt").exists()
    set_up(project, naming_rule=True)
    assert alembic("revision", "-m", "New one", cwd=project).returncode == 0
    (made,) = (project / "migrations/versions").glob("*_new_one.py")
    assert made.stem.removesuffix("_new_one") in (project / "migrations/heads.txt").read_text()
    assert verify(project / "alembic.ini") == ()


def test_an_empty_folder_becomes_a_project(
    tmp_path: Path, alembic: Alembic, database_url: URL
) -> None:
    project = tmp_path / "new" / "project"
    assert len(set_up(project).done) == 5
    assert verify(project / "alembic.ini") == ()
    for arguments in (("revision", "-m", "First"), ("upgrade", "head"), ("current",)):
        process = alembic(*arguments, url=database_url, cwd=project)
        assert process.returncode == 0, process.stderr
    assert verify(project / "alembic.ini") == ()
    after = contents(project)
    assert set_up(project).done == ()
    assert contents(project) == after


def test_what_cannot_be_replaced_is_refused_and_nothing_is_changed(
    make_project: Callable[[str], Path],
) -> None:
    project = make_project("multidb")
    before = contents(project)
    with pytest.raises(UnusualEnvError) as refusal:
        set_up(project, naming_rule=True)
    assert any("several databases" in reason for reason in refusal.value.reasons)
    (project / "alembic.ini").rename(project / "other.ini")
    with pytest.raises(RefusedError, match="is there, but no"):
        set_up(project)
    (project / "other.ini").rename(project / "alembic.ini")
    assert contents(project) == before


def test_the_layout_of_several_databases_is_guarded_when_one_does_what_the_refusal_says(
    make_project: Callable[[str], Path],
    alembic: Alembic,
    database_url: URL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = make_project("multidb")
    ini, env = project / "alembic.ini", project / "migrations/env.py"
    new = ("revision", "-m", "first", "--rev-id", "one")
    assert alembic(*new, cwd=project).returncode == 0
    (revision,) = (project / "migrations/versions").glob("*.py")
    text = revision.read_text()
    for name in ("engine1", "engine2"):
        made = f'op.create_table("of_{name}", sa.Column("id", sa.Integer))'
        start = text.index(f"def upgrade_{name}")
        text = text[:start] + text[start:].replace("    pass", f"    {made}", 1)
    revision.write_text(text)
    with pytest.raises(UnusualEnvError) as refusal:
        set_up(project)
    assert "[DEFAULT]" in refusal.value.hint
    assert "--name SECTION" in refusal.value.hint
    said = refusal.value.for_people()
    env.write_text(said[said.index('"""Hand') :])  # as it is printed
    options = ini.read_text().replace("[alembic]", "[DEFAULT]")
    urls = {"engine1": database_url, "engine2": URL.create("sqlite", database=f"{tmp_path}/2.db")}
    for shipped, name in (("dbname2", "engine2"), ("dbname", "engine1")):
        written = urls[name].render_as_string(hide_password=False).replace("%", "%%")
        options = options.replace(f"driver://user:pass@localhost/{shipped}", written)
    ini.write_text(options)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(project)
    for name, url in urls.items():
        assert main(["db", "upgrade", "--name", name]) == 0
        with connect(url) as connection:
            tables = {*sa.inspect(connection).get_table_names()}
        assert {"work_data_hub_journal", f"of_{name}"} <= tables
        assert len([table for table in tables if table.startswith("of_")]) == 1
        assert main(["db", "status", "--check", "--name", name]) == 0
    # A new revision still has a function for each of them.
    assert main(["db", "new", "second", "--name", "engine1"]) == 0
    (second,) = (path for path in revision.parent.glob("*.py") if "second" in path.name)
    for name in urls:
        assert f"def upgrade_{name}()" in second.read_text()
    assert main(["db", "downgrade", "base", "--name", "engine2"]) == 0
    # Without a section nothing is guessed.
    capsys.readouterr()
    assert main(["db", "upgrade"]) == 2
    assert capsys.readouterr().err.endswith("--name engine1 or engine2\n")


def test_an_encoding_that_cannot_write_a_revision_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up(tmp_path)
    ini = tmp_path / "alembic.ini"
    written = ini.read_text()
    ini.write_text(written.replace("[alembic]", "[alembic]\noutput_encoding = nonsense", 1))
    monkeypatch.chdir(tmp_path)
    assert main(["db", "new", "one"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "output_encoding in alembic.ini" in said[0]
    assert not list(tmp_path.rglob("*one*.py"))
    ini.write_text(written.replace("[alembic]", "[alembic]\noutput_encoding = utf-8", 1))
    assert main(["db", "new", "one"]) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
@pytest.mark.parametrize("rights", [0o600, 0o640, 0o755])
def test_what_others_may_not_read_they_may_not_read_in_the_backup_either(
    make_project: Callable[[str], Path], rights: int
) -> None:
    project = make_project("generic")
    env = project / "migrations/env.py"
    env.chmod(rights)
    set_up(project)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (env, env.with_name(BACKUP))] == [
        rights,
        rights,
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_new_files_have_the_rights_of_the_process_which_are_never_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(mask: int) -> int:
        raise AssertionError("another thread would make a file that everybody may write to")

    mask = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", changed)
            set_up(tmp_path / "new")
    finally:
        os.umask(mask)
    made = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert made
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o640}


@pytest.fixture
def flask_project(tmp_path: Path) -> Path:
    """The application of examples/flask_shop as `flask db init` left it."""
    project = tmp_path / "flask_shop"
    ignored = shutil.ignore_patterns("*.db*", "__pycache__")
    shutil.copytree(Path(__file__).parents[4] / "examples/flask_shop", project, ignore=ignored)
    (project / "alembic.ini").unlink()
    migrations = project / "migrations"
    (migrations / BACKUP).replace(migrations / "env.py")
    return project


@pytest.mark.parametrize("folder", [".", "migrations"])
def test_flask_migrate_gets_a_configuration_for_the_other_doors(
    folder: str, flask_project: Path
) -> None:
    setup = set_up(flask_project / folder)
    assert setup.ini == flask_project / "alembic.ini"
    assert (len(setup.done), setup.left, setup.names_database) == (3, (), True)
    assert set_up(flask_project / folder).done == ()
    assert verify(setup.ini) == ()


def test_what_a_project_added_to_flask_migrate_is_not_dropped(flask_project: Path) -> None:
    env = flask_project / "migrations/env.py"
    env.write_text(env.read_text().replace("**conf_args", "compare_type=False, **conf_args"))
    before = contents(flask_project)
    with pytest.raises(UnusualEnvError) as refusal:
        set_up(flask_project)
    assert any("** is passed" in reason for reason in refusal.value.reasons)
    assert "ScriptInfo" in refusal.value.text
    assert contents(flask_project) == before


def test_what_pyproject_says_is_an_option_of_alembic_ini_afterwards(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "%(here)s/m"\nprepend_sys_path = [".", "src"]\n'
        "sourceless = true\ntruncate_slug_length = 20\n"
    )
    (tmp_path / "alembic.ini").write_text("[loggers]\nkeys = root\n")
    (tmp_path / "m/versions").mkdir(parents=True)
    (tmp_path / "m/env.py").write_text(new_env())
    set_up(tmp_path)
    config = Config(str(tmp_path / "alembic.ini"))
    assert config.get_alembic_option("script_location") == f"{tmp_path}/m"
    assert config.get_prepend_sys_paths_list() == [".", "src"]
    assert config.get_alembic_boolean_option("sourceless")
    assert set_up(tmp_path).done == ()


def test_what_no_alembic_ini_can_say_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "m"\n[[tool.alembic.post_write_hooks]]\nname = "x"\n'
    )
    (tmp_path / "alembic.ini").write_text("[alembic]\n")
    (tmp_path / "m/versions").mkdir(parents=True)
    (tmp_path / "m/env.py").write_text(new_env())
    before = contents(tmp_path)
    # Alembic goes by the working directory here.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with pytest.raises(UsageError, match="post_write_hooks"):
            set_up(tmp_path)
    assert contents(tmp_path) == before
