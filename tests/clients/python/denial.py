"""Policies: what none grants is refused, `deny` wins, and a change counts at the next request."""

from hvac import exceptions

from world import CREDS, client, refused, root


def run():
    token = root().auth.token.create(policies=["apps"])["auth"]
    app = client(token["client_token"])
    for call in (
        lambda: app.secrets.database.read_role("readonly"),
        lambda: app.secrets.database.generate_credentials("other"),
        lambda: app.sys.list_mounted_secrets_engines(),
        lambda: app.auth.token.create(policies=["apps"]),
        lambda: app.sys.create_or_update_acl_policy("apps", 'path "*" { capabilities = ["sudo"] }'),
    ):
        assert "permission denied" in str(refused(exceptions.Forbidden, call))
    refused(exceptions.Forbidden, lambda: client("hvs.nobody").secrets.database.generate_credentials("readonly"))
    assert app.sys.get_capabilities([CREDS])["data"]["capabilities"] == ["read"]

    root().sys.create_or_update_acl_policy("stop", f'path "{CREDS}" {{ capabilities = ["deny"] }}')
    both = client(root().auth.token.create(policies=["apps", "stop"])["auth"]["client_token"])
    refused(exceptions.Forbidden, lambda: both.secrets.database.generate_credentials("readonly"))
    root().sys.delete_policy("stop")
    both.secrets.database.generate_credentials("readonly")
    root().sys.create_or_update_acl_policy("apps", 'path "nothing" { capabilities = ["read"] }')
    refused(exceptions.Forbidden, lambda: app.secrets.database.generate_credentials("readonly"))
