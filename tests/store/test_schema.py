"""The schema: the migrations, the tables as the code sees them and the number in the code agree."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

import weft.store
from weft.core.errors import MismatchError
from weft.store import schema
from weft.store.journal import Journal
from weft.store.service_tables import metadata

pytestmark = pytest.mark.sqlite


def config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(weft.store.__file__).parent / "migrations"))
    return config


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    yield engine
    engine.dispose()


def migrate(engine, act, to):
    with engine.begin() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        act(settings, to)


def ours(name, kind, parents):
    """All but the full-text index, whose tables SQLite makes by itself."""
    return not (kind == "table" and name.startswith("messages_words"))


def test_the_migrations_make_exactly_the_tables_of_the_code(engine):
    migrate(engine, command.upgrade, "head")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, metadata) == []
        made = inspect(connection)
        for table in metadata.sorted_tables:
            columns = {column["name"]: column["nullable"] for column in made.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}
            assert {index["name"] for index in made.get_indexes(table.name)} == {index.name for index in table.indexes}


def test_a_new_journal_has_the_schema_that_the_migrations_come_to(engine, tmp_path):
    migrate(engine, command.upgrade, "head")
    Journal(tmp_path / "other.db").close()
    other = create_engine(f"sqlite:///{tmp_path / 'other.db'}")

    def definitions(of):
        with of.connect() as connection:
            rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
        return {name: " ".join(sql.split()).replace("( ", "(").replace(" )", ")") for name, sql in rows}

    assert definitions(engine) == definitions(other)
    other.dispose()


def test_down_and_up_again(engine):
    migrate(engine, command.upgrade, "head")
    migrate(engine, command.downgrade, "base")
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate(engine, command.upgrade, "head")
    with engine.connect() as connection:
        assert "events" in inspect(connection).get_table_names()


def test_the_head_that_the_code_names_is_alembics():
    assert ScriptDirectory.from_config(config()).get_current_head() == schema.HEAD


def test_a_database_of_a_newer_weft_is_refused_and_left_alone(tmp_path):
    Journal(tmp_path / "weft.db").close()
    connection = sqlite3.connect(tmp_path / "weft.db", isolation_level=None)
    connection.execute("UPDATE alembic_version SET version_num='9999'")
    with pytest.raises(MismatchError, match="newer") as caught:
        Journal(tmp_path / "weft.db")
    assert "WEFT_HOME" in caught.value.fix
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    connection.close()


@pytest.mark.slow
def test_a_new_database_and_one_up_to_date_open_without_the_migration_tool(tmp_path):
    code = (
        "import sys; from weft.store.journal import Journal; Journal(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "weft.db")], check=False).returncode == 0


def test_a_first_opening_that_is_cut_off_leaves_nothing_behind(tmp_path, monkeypatch):
    class CutOff(BaseException):
        pass

    class Dying(sqlite3.Connection):
        def cursor(self, *args, **kwargs):
            return super().cursor(DyingCursor)

    class DyingCursor(sqlite3.Cursor):
        def execute(self, sql, *rest):
            if "CREATE TABLE inbox" in sql:
                raise CutOff
            return super().execute(sql, *rest)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: connect(*args, **{**kwargs, "factory": Dying}))
    with pytest.raises(CutOff):
        Journal(tmp_path / "weft.db")
    monkeypatch.undo()
    check = sqlite3.connect(tmp_path / "weft.db")
    assert check.execute("SELECT name FROM sqlite_master").fetchall() == []
    check.close()
    Journal(tmp_path / "weft.db").close()
