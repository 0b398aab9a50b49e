path "sys/mounts/*" { capabilities = [ "create", "read", "update", "delete", "list" ] }
path "database/*" { capabilities = [ "create", "read", "update", "delete", "list" ] }
path "sys/policies/acl/*" { capabilities = [ "create", "read", "update", "delete", "list" ] }
path "auth/token/create" { capabilities = [ "create", "read", "update", "delete", "list", "sudo" ] }
path "sys/leases/+/database/creds/readonly/*" { capabilities = [ "create", "read", "update", "delete", "list", "sudo" ] }
path "sys/leases/+/database/creds/readonly" { capabilities = [ "create", "read", "update", "delete", "list", "sudo" ] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
