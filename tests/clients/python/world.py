"""Where the parts run: the broker's root, a PostgreSQL to look at, and a mount with the role `readonly`.

Environment: VAULT_ADDR, ROOT_TOKEN, PG_HOST, PG_PORT, PG_USER, PG_PASSWORD.
"""

import os
import subprocess
import time

import hvac

PG_HOST, PG_PORT = os.environ["PG_HOST"], os.environ["PG_PORT"]
PG_USER, PG_PASSWORD = os.environ["PG_USER"], os.environ["PG_PASSWORD"]
CONNECTION_URL = "postgresql://{{username}}:{{password}}@" + f"{PG_HOST}:{PG_PORT}/postgres?sslmode=disable"
STATEMENTS = [
    "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";",
]
CREDS = "database/creds/readonly"


def client(token):
    return hvac.Client(url=os.environ["VAULT_ADDR"], token=token)


def root():
    return client(os.environ["ROOT_TOKEN"])


def psql(user, password, sql):
    run = subprocess.run(
        ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", PG_HOST, "-p", PG_PORT, "-d", "postgres", "-U", user, "-c", sql],
        env={**os.environ, "PGPASSWORD": password}, capture_output=True, text=True, timeout=30,
    )
    return run.returncode, run.stdout.strip(), run.stderr.strip()


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{call} was not refused")


def logs_in(data):
    return psql(data["username"], data["password"], "select 1")[0] == 0


def ends(data):
    """Whether a login ends soon: an answer says that its end is certain, and it follows within a second."""
    for _ in range(100):
        if not logs_in(data):
            return True
        time.sleep(0.1)
    return False


def prepare():
    """Mounts the engine at database/ with the role `readonly`, and the policy `apps` that may read its credentials."""
    by = root()
    by.sys.enable_secrets_engine("database")
    by.secrets.database.configure(
        name="postgresql", plugin_name="postgresql-database-plugin", allowed_roles=["readonly"],
        connection_url=CONNECTION_URL, username=PG_USER, password=PG_PASSWORD,
    )
    by.secrets.database.create_role(
        name="readonly", db_name="postgresql", creation_statements=STATEMENTS, default_ttl="1h", max_ttl="24h",
    )
    by.sys.create_or_update_acl_policy("apps", f'path "{CREDS}" {{ capabilities = ["read"] }}')
