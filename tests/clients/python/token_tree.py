"""The token tree: a child ends with its parent, and its leases with it; an orphan lives on."""

from hvac import exceptions

from world import client, ends, logs_in, refused, root


def run():
    root().sys.create_or_update_acl_policy("parent", 'path "auth/token/create" { capabilities = ["update", "sudo"] }')
    parent = client(root().auth.token.create(policies=["parent", "apps"], ttl="1h")["auth"]["client_token"])
    child = client(parent.auth.token.create(policies=["apps"])["auth"]["client_token"])
    orphan = client(parent.auth.token.create(policies=["apps"], no_parent=True)["auth"]["client_token"])
    grandchild = client(parent.auth.token.create(policies=["parent", "apps"])["auth"]["client_token"])
    grandchild = client(grandchild.auth.token.create(policies=["apps"])["auth"]["client_token"])
    assert orphan.auth.token.lookup_self()["data"]["orphan"] and not child.auth.token.lookup_self()["data"]["orphan"]
    credentials = [who.secrets.database.generate_credentials("readonly")["data"] for who in (child, grandchild, orphan)]
    assert all(logs_in(one) for one in credentials)

    parent.auth.token.revoke_self()
    for who in (parent, child, grandchild):
        refused(exceptions.Forbidden, who.auth.token.lookup_self)
    assert orphan.auth.token.lookup_self()["data"]["policies"] == ["apps", "default"]
    assert ends(credentials[0]) and ends(credentials[1]) and logs_in(credentials[2])
