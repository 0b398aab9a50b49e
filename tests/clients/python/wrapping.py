"""Response wrapping: an answer that whoever holds a token reads once."""

from hvac import exceptions

from world import CREDS, client, logs_in, refused, root


def run():
    wrapped = root().read(CREDS, wrap_ttl="5m")
    info = wrapped["wrap_info"]
    assert wrapped["data"] is None and info["ttl"] == 300 and info["creation_path"] == CREDS, wrapped
    credentials = client(info["token"]).sys.unwrap()
    assert credentials["lease_duration"] == 3600 and logs_in(credentials["data"])
    refused(exceptions.InvalidRequest, lambda: client(info["token"]).sys.unwrap())

    token = root().auth.token.create(policies=["apps"], wrap_ttl="60s")["wrap_info"]
    assert token["wrapped_accessor"]
    # By somebody else's token, named in the body.
    inner = root().sys.unwrap(token["token"])["auth"]["client_token"]
    assert logs_in(client(inner).secrets.database.generate_credentials("readonly")["data"])
    error = refused(exceptions.InvalidRequest, lambda: root().sys.unwrap(token["token"]))
    assert "wrapping token is not valid or does not exist" in str(error), error
