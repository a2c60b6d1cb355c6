"""A PostgreSQL of the tests' own: a private cluster in a private directory, reached by its socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

_WIPE = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    IF one.tablename NOT IN ('counter', 'constant') THEN EXECUTE format('DELETE FROM %I', one.tablename); END IF;
  END LOOP;
  IF to_regclass('counter') IS NOT NULL THEN
    UPDATE counter SET revision = 0, compacted = 0;
    DELETE FROM constant WHERE name <> 'store_id';
    UPDATE constant SET value = gen_random_uuid()::text WHERE name = 'store_id';
  END IF;
END $$
"""


class Cluster:
    """A PostgreSQL server, at work as soon as it is made; `remove` takes it away with everything in it.

    parent   of its directory; None: the system's for temporary files
    durable  commits wait for the disk, as they do by default; else a machine that is killed loses some
    """

    def __init__(self, parent: Path | None = None, *, durable: bool = False) -> None:
        self._programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None  # it refuses to run as root
        self._root = Path(tempfile.mkdtemp(prefix="netglass-pg-", dir=parent))
        self._free: list[str] = []
        self._made = 0
        if self._user is not None:
            os.chown(self._root, self._user.pw_uid, self._user.pw_gid)
        words = ("-U", "netglass", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale")
        self._run("initdb", "-D", str(self._data), *words)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._root),
            "max_connections": "200",
        }
        if not durable:  # servers are killed in tests, machines are not
            settings |= {"fsync": "off", "shared_buffers": "16MB", "max_wal_size": "256MB"}
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        (self._data / "postgresql.auto.conf").write_text("".join(lines))
        self.start()

    @property
    def _data(self) -> Path:
        return self._root / "data"

    @property
    def directory(self) -> str:
        """Where its socket is."""
        return str(self._root)

    def short_directory(self) -> Path:
        """Makes a directory for another socket, whose path is short enough for one; taken away with the cluster."""
        return Path(tempfile.mkdtemp(dir=self._root))

    def url(self, database: str) -> str:
        return f"postgresql://netglass@/{database}?host={self._root}"

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._root / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to every process of the server at once, as to one machine."""
        for pid in self._pids():
            os.kill(pid, number)

    def remove(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self.send(signal.SIGCONT)
            self.stop()
        shutil.rmtree(self._root)

    def take(self) -> str:
        """Gives the name of a database that is empty, or as good as new."""
        return self._free.pop() if self._free else self.create()

    def create(self) -> str:
        """Makes a database with nothing in it; gives its name."""
        self._made += 1
        name = f"test{self._made}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return name

    def give_back(self, name: str) -> None:
        ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        self.execute("postgres", ending)
        self.execute(name, _WIPE)
        self._free.append(name)

    def drop(self, name: str) -> None:
        self.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, database: str, text: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(text.encode())
            return done.fetchall() if done.description else []

    def _pids(self) -> list[int]:
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *(int(pid) for pid in children)]

    def _run(self, program: str, *words: str) -> None:
        as_user = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid}
        done = subprocess.run(
            [str(self._programs / program), *words],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **as_user,
            **({} if self._user is None else {"extra_groups": []}),
        )
        assert done.returncode == 0, f"{program} {' '.join(words)}: {done.stdout}"
