"""The guide: admin by policy, app by token, list, lookup, renew, revoke, prefix, denial."""

from hvac import exceptions

from world import CONNECTION_URL, PG_PASSWORD, PG_USER, STATEMENTS, client, ends, psql, refused
from world import root as root_client

MOUNT = "hvac-db"
PATH = f"{MOUNT}/creds/readonly"

ADMIN_POLICY = f"""
path "sys/mounts/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}
path "{MOUNT}/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}
path "sys/policies/acl/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}
path "auth/token/create" {{ capabilities = ["create", "read", "update", "delete", "list", "sudo"] }}
path "sys/leases/+/{PATH}/*" {{ capabilities = ["create", "read", "update", "delete", "list", "sudo"] }}
path "sys/leases/+/{PATH}" {{ capabilities = ["create", "read", "update", "delete", "list", "sudo"] }}
path "sys/leases/renew" {{ capabilities = ["update"] }}
path "sys/leases/revoke" {{ capabilities = ["update"] }}
"""


def run():
    root = root_client()
    assert root.is_authenticated() and root.sys.is_initialized() and not root.sys.is_sealed()
    assert root.sys.read_health_status(method="GET")["initialized"] is True
    code, _, error = psql(PG_USER, PG_PASSWORD, "create table if not exists hvac_orders (id int); insert into hvac_orders values (1)")
    assert code == 0, error

    root.sys.create_or_update_policy("hvac-admin", ADMIN_POLICY)
    assert root.sys.read_acl_policy("hvac-admin")["data"] == {"name": "hvac-admin", "policy": ADMIN_POLICY}
    admin = client(root.auth.token.create(policies=["hvac-admin"])["auth"]["client_token"])
    admin.sys.enable_secrets_engine("database", path=MOUNT)
    assert f"{MOUNT}/" in root.sys.list_mounted_secrets_engines()["data"]
    database = admin.secrets.database
    database.configure(
        name="postgresql", plugin_name="postgresql-database-plugin", allowed_roles=["readonly"], mount_point=MOUNT,
        connection_url=CONNECTION_URL,
        username=PG_USER, password=PG_PASSWORD,
    )
    shown = database.read_connection("postgresql", mount_point=MOUNT)["data"]
    assert shown["allowed_roles"] == ["readonly"] and "password" not in shown["connection_details"], shown
    database.create_role(
        name="readonly", db_name="postgresql", creation_statements=STATEMENTS, default_ttl="1h", max_ttl="24h", mount_point=MOUNT,
    )
    assert database.list_roles(mount_point=MOUNT)["data"]["keys"] == ["readonly"]
    assert database.read_role("readonly", mount_point=MOUNT)["data"]["default_ttl"] == 3600

    admin.sys.create_or_update_acl_policy("hvac-apps", f'path "{PATH}" {{ capabilities = ["read"] }}')
    token = admin.auth.token.create(policies=["hvac-apps"])["auth"]
    assert token["policies"] == ["default", "hvac-apps"]
    app = client(token["client_token"])

    first = app.secrets.database.generate_credentials("readonly", mount_point=MOUNT)
    second = app.secrets.database.generate_credentials("readonly", mount_point=MOUNT)
    user, password = first["data"]["username"], first["data"]["password"]
    assert user != second["data"]["username"] and first["lease_duration"] == 3600 and first["renewable"]
    assert psql(user, password, "select count(*) > 0 from hvac_orders")[:2] == (0, "t")
    code, _, error = psql(user, password, "insert into hvac_orders values (2)")
    assert code != 0 and "permission denied" in error, error
    refused(exceptions.Forbidden, lambda: app.secrets.database.read_role("readonly", mount_point=MOUNT))
    refused(exceptions.Forbidden, lambda: app.sys.list_leases(PATH))

    assert len(admin.sys.list_leases(PATH)["data"]["keys"]) == 2
    assert root.sys.read_lease(first["lease_id"])["data"]["id"] == first["lease_id"]
    assert admin.sys.renew_lease(first["lease_id"], increment=7200)["lease_duration"] == 7200
    capped = admin.sys.renew_lease(first["lease_id"], increment=999999)["lease_duration"]
    assert 86400 - 60 < capped <= 86400, f"a day from the issue, not {capped} s"
    admin.sys.revoke_lease(first["lease_id"])
    refused(exceptions.InvalidRequest, lambda: root.sys.read_lease(first["lease_id"]))
    assert ends(first["data"])
    admin.sys.revoke_prefix(PATH)
    refused(exceptions.InvalidPath, lambda: admin.sys.list_leases(PATH))
    assert ends(second["data"])

    third = app.secrets.database.generate_credentials("readonly", mount_point=MOUNT)["data"]
    root.auth.token.revoke_accessor(token["accessor"])
    refused(exceptions.Forbidden, lambda: app.secrets.database.generate_credentials("readonly", mount_point=MOUNT))
    assert not app.is_authenticated()
    assert ends(third), "a token's end ends its leases"

    admin.sys.disable_secrets_engine(MOUNT)
    assert f"{MOUNT}/" not in root.sys.list_mounted_secrets_engines()["data"]
    for name in ("hvac-admin", "hvac-apps"):
        root.sys.delete_policy(name)
