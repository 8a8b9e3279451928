"""``weft db``, and a store on Postgres, through the real command line."""

import json

import pytest

from weft.store.schema import HEAD

pytestmark = pytest.mark.slow

FLOW = """
version: 1
name: note
runtime: {provider: offline, model_id: extract}
agents: {writer: {prompt: Write one line.}}
pattern: {type: chain, config: {steps: [{agent: writer, input: Rain fell.}]}}
"""


@pytest.fixture
def flow(tmp_path):
    file = tmp_path / "note.yaml"
    file.write_text(FLOW)
    return str(file)


def answer(said):
    assert said.code == 0, said
    return json.loads(said.out)


URL = "WEFT_STORE__URL"


def test_runs_on_postgres_look_as_they_do_in_a_file_and_can_be_moved_into_one(
    weft, flow, postgres, tmp_path, monkeypatch
):
    monkeypatch.setenv(URL, postgres)
    run = answer(weft("run", flow, "--json"))
    assert run["status"] == "completed"
    (listed,) = answer(weft("runs", "list", "--json"))["runs"]
    assert listed["status"] == "completed"
    assert answer(weft("verify", "last", "--json"))["intact"]
    file = str(tmp_path / "all.weft")
    assert answer(weft("db", "backup", file, "--json"))["backed_up"]["runs"] == 1
    monkeypatch.delenv(URL)
    assert answer(weft("runs", "list", "--json"))["runs"] == []
    assert answer(weft("db", "restore", file, "--json"))["restored"]["runs"] == 1
    assert answer(weft("db", "check", "--json"))["sound"]
    assert answer(weft("runs", "list", "--json"))["runs"] == [listed]


def test_a_store_goes_back_a_revision_and_forward_again(weft, flow, databases, monkeypatch):
    for url in ("", databases.fresh()):
        monkeypatch.setenv(URL, url)
        weft("run", flow)
        assert answer(weft("db", "migrate", "--to", "0004", "--json")) == {"before": HEAD, "after": "0004"}
        assert answer(weft("db", "migrate", "--json")) == {"before": "0004", "after": HEAD}
        assert answer(weft("db", "check", "--json"))["events"] > 5


def test_an_address_that_leads_nowhere_is_a_clear_error_without_its_password(weft, monkeypatch):
    for url in ("postgresql://me:hunter2@127.0.0.1:9/x", "postgresql://me:hunter2@[::1", "mysql://me:hunter2@x/y"):
        monkeypatch.setenv(URL, url)
        said = weft("runs", "list")
        assert said.code != 0
        assert "hunter2" not in said.out + said.err
        assert "fix" in said.err
    monkeypatch.setenv(URL, "postgresql://me:hunter2@127.0.0.1/x")
    shown = weft("config")
    assert "hunter2" not in shown.out


def test_a_store_that_was_changed_is_named(weft, flow, postgres, monkeypatch):
    monkeypatch.setenv(URL, postgres)
    weft("run", flow)
    import psycopg  # noqa: PLC0415 -- most tests need none of this

    with psycopg.connect(postgres) as connection:
        connection.execute("UPDATE events SET kind='step.failed' WHERE seq=3")
    said = weft("db", "check")
    assert said.code == 10
    assert "event 3" in said.err


def test_a_role_for_reports_is_let_in_and_out_again(weft, postgres, databases, monkeypatch):
    monkeypatch.setenv(URL, postgres)
    databases.admin.execute("CREATE ROLE cli_reports LOGIN")
    try:
        assert "reads what is of the tenant acme" in weft("db", "role", "cli_reports", "--tenant", "acme").out
        assert answer(weft("db", "role", "cli_reports", "--json"))["reads"] is True
        assert answer(weft("db", "role", "cli_reports", "--remove", "--json"))["reads"] is False
        assert weft("db", "role", "cli_reports", "--remove").code != 0
    finally:
        databases.drop()
        databases.admin.execute("DROP ROLE cli_reports")


@pytest.fixture
def owner(databases, monkeypatch):
    """Makes an empty database whose owner has these rights, and is who Weft connects as; its name and that of the database."""
    names = []

    def make(rights):
        names.append(f"cli_owner_{len(names)}_{id(names)}")
        url = databases.empty()
        databases.admin.execute(f"CREATE ROLE {names[-1]} LOGIN {rights}".encode())
        databases.admin.execute(f"ALTER DATABASE {databases.made[-1]} OWNER TO {names[-1]}".encode())
        monkeypatch.setenv(URL, f"postgresql://{names[-1]}:hunter2@{url.partition('@')[2]}")
        return names[-1], databases.made[-1]

    yield make
    databases.drop()
    for name in names:
        # With the roles that it was let into, which Weft or the test has made for it.
        served = databases.admin.execute(ROLES, (name,)).fetchall()
        for role in (*(role for (role,) in served), name):
            databases.admin.execute(f"DROP ROLE {role}".encode())


ROLES = "SELECT DISTINCT roleid::regrole::text FROM pg_auth_members WHERE member = %s::regrole"


def looked_at(weft):
    said = weft("doctor", "--json")
    assert (said.code, said.json["ready"]) == (0, True)
    assert "hunter2" not in said.out + said.err + weft("doctor").out
    return next(each for each in said.json["findings"] if each["name"] == "journal")


def test_doctor_says_when_the_second_line_between_tenants_is_not_there_and_how_it_is_made(weft, flow, owner, databases):
    name, database = owner("NOCREATEROLE")
    found = looked_at(weft)
    assert (found["level"], "tenants are kept apart by queries alone" in found["text"]) == ("warning", True)
    assert "CREATEROLE" in found["fix"]
    # It works all the same, and says so again.
    assert weft("run", flow).code == 0
    assert looked_at(weft)["level"] == "warning"
    # Somebody who is allowed to makes the role, as the page about Postgres says.
    serving = f"weft_serving_main_{id(databases)}"
    databases.admin.execute(f"CREATE ROLE {serving} NOLOGIN".encode())
    databases.admin.execute(f"GRANT {serving} TO {name} WITH INHERIT FALSE, SET TRUE".encode())
    assert looked_at(weft)["level"] == "warning"
    assert weft("db", "role", serving).code == 0
    found = looked_at(weft)
    assert (found["level"], found["fix"]) == ("ok", "")
    assert found["text"].endswith("1 run")


def test_doctor_is_content_with_a_user_who_may_make_roles_and_with_one_who_comes_to_be_allowed(weft, owner, databases):
    owner("CREATEROLE")
    for _ in range(2):
        assert looked_at(weft)["level"] == "ok"
    name, _ = owner("NOCREATEROLE")
    assert looked_at(weft)["level"] == "warning"
    databases.admin.execute(f"ALTER ROLE {name} CREATEROLE".encode())
    assert looked_at(weft)["level"] == "ok"


def test_a_store_in_a_file_has_no_roles(weft):
    said = weft("db", "role", "reports", "--tenant", "acme")
    assert said.code != 0
    assert "no roles" in said.err
