package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/vault/api"
)

const (
	mount = "go-db"
	path  = mount + "/creds/readonly"
	every = `"create", "read", "update", "delete", "list"`
	admin = `
path "sys/mounts/*" { capabilities = [` + every + `] }
path "` + mount + `/*" { capabilities = [` + every + `] }
path "sys/policies/acl/*" { capabilities = [` + every + `] }
path "auth/token/create" { capabilities = [` + every + `, "sudo"] }
path "sys/leases/+/` + path + `/*" { capabilities = [` + every + `, "sudo"] }
path "sys/leases/+/` + path + `" { capabilities = [` + every + `, "sudo"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
`
)

// guide is the guide: admin by policy, app by token, list, lookup, renew, revoke, prefix, denial.
func guide(w *world) {
	health := got(w.root.Sys().Health())
	want(health.Initialized && !health.Sealed, "health: %+v", health)
	want(!got(w.root.Sys().SealStatus()).Sealed, "sealed")
	got(psql(env("PG_USER"), env("PG_PASSWORD"), "create table go_orders (id int); insert into go_orders values (1)"))

	must(w.root.Sys().PutPolicy("go-admin", admin))
	want(got(w.root.Sys().GetPolicy("go-admin")) == admin, "the policy is not what was written")
	by := holder(w.root, &api.TokenCreateRequest{Policies: []string{"go-admin"}})
	must(by.Sys().Mount(mount, &api.MountInput{Type: "database"}))
	_, listed := got(w.root.Sys().ListMounts())[mount+"/"]
	want(listed, "the mount is not listed")
	define(by)

	must(by.Sys().PutPolicy("go-apps", fmt.Sprintf("path %q { capabilities = [\"read\"] }", path)))
	app := holder(by, &api.TokenCreateRequest{Policies: []string{"go-apps"}})
	first, second := got(app.Logical().Read(path)), got(app.Logical().Read(path))
	user, password := text(first, "username"), text(first, "password")
	want(user != text(second, "username"), "the same login twice")
	want(first.LeaseDuration == 3600 && first.Renewable, "lease: %+v", first)
	want(got(psql(user, password, "select count(*) from go_orders")) == "1", "wrong count")
	_, err := psql(user, password, "insert into go_orders values (2)")
	want(err != nil && strings.Contains(err.Error(), "permission denied"), "insert: %v", err)
	_, err = app.Logical().Read(mount + "/roles/readonly")
	refused(403, err)
	_, err = app.Logical().List("sys/leases/lookup/" + path)
	refused(403, err)

	keys := got(by.Logical().List("sys/leases/lookup/" + path)).Data["keys"].([]any)
	want(len(keys) == 2, "leases: %v", keys)
	want(text(got(w.root.Sys().Lookup(first.LeaseID)), "id") == first.LeaseID, "another lease")
	want(got(by.Sys().Renew(first.LeaseID, 7200)).LeaseDuration == 7200, "renewal")
	capped := got(by.Sys().Renew(first.LeaseID, 999999)).LeaseDuration
	want(86400-60 < capped && capped <= 86400, "a day from the issue, not %d s", capped)
	must(by.Sys().Revoke(first.LeaseID))
	_, err = w.root.Sys().Lookup(first.LeaseID)
	refused(400, err)
	want(ends(first), "a revoked lease logs in")
	must(by.Sys().RevokePrefix(path))
	want(got(by.Logical().List("sys/leases/lookup/"+path)) == nil, "leases are left")
	want(ends(second), "a revoked prefix logs in")

	third := got(app.Logical().Read(path))
	accessor := got(got(app.Auth().Token().LookupSelf()).TokenAccessor())
	must(w.root.Auth().Token().RevokeAccessor(accessor))
	_, err = app.Logical().Read(path)
	refused(403, err)
	want(ends(third), "a token's end ends its leases")

	must(by.Sys().Unmount(mount))
	_, listed = got(w.root.Sys().ListMounts())[mount+"/"]
	want(!listed, "the mount is still listed")
	must(w.root.Sys().DeletePolicy("go-admin"))
	must(w.root.Sys().DeletePolicy("go-apps"))
}

// define writes configuration and role, and reads them back.
func define(by *api.Client) {
	got(by.Logical().Write(mount+"/config/postgresql", config()))
	shown := got(by.Logical().Read(mount + "/config/postgresql")).Data
	want(fmt.Sprint(shown["allowed_roles"]) == "[readonly]", "shown: %v", shown)
	_, told := shown["connection_details"].(map[string]any)["password"]
	want(!told, "the password is shown")
	got(by.Logical().Write(mount+"/roles/readonly", role()))
	want(fmt.Sprint(got(by.Logical().List(mount + "/roles")).Data["keys"]) == "[readonly]", "roles")
	ttl := got(by.Logical().Read(mount + "/roles/readonly")).Data["default_ttl"]
	want(ttl == json.Number("3600"), "default_ttl: %v", ttl)
}
