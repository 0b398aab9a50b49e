path "sys/mounts/*" { capabilities = [ "create", "read", "update", "delete", "list" ] }
path "db-prod/*" { capabilities = [ "create", "read", "update", "delete", "list" ] }
path "sys/policies/acl/*" { capabilities = [ "create", "read", "update", "delete", "list" ] }
path "auth/token/create" { capabilities = [ "create", "read", "update", "delete", "list", "sudo" ] }
path "sys/leases/+/db-prod/creds/readonly/*" { capabilities = [ "create", "read", "update", "delete", "list", "sudo" ] }
path "sys/leases/+/db-prod/creds/readonly" { capabilities = [ "create", "read", "update", "delete", "list", "sudo" ] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
