package main

import (
	"fmt"
	"strings"

	"github.com/hashicorp/vault/api"
)

// denial is about policies: what none grants is refused, deny wins, and a change counts at the next request.
func denial(w *world) {
	app := holder(w.root, &api.TokenCreateRequest{Policies: []string{"apps"}})
	read := func(who *api.Client, path string) error {
		_, err := who.Logical().Read(path)
		return err
	}
	for _, call := range []func() error{
		func() error { return read(app, "database/roles/readonly") },
		func() error { return read(app, "database/creds/other") },
		func() error { _, err := app.Sys().ListMounts(); return err },
		func() error { _, err := app.Auth().Token().Create(&api.TokenCreateRequest{}); return err },
		func() error { return app.Sys().PutPolicy("apps", `path "*" { capabilities = ["sudo"] }`) },
	} {
		said := refused(403, call())
		want(strings.Contains(said, "permission denied"), "%q", said)
	}
	refused(403, read(client("hvs.nobody"), creds))
	want(fmt.Sprint(got(app.Sys().CapabilitiesSelf(creds))) == "[read]", "capabilities")

	must(w.root.Sys().PutPolicy("stop", `path "`+creds+`" { capabilities = ["deny"] }`))
	both := holder(w.root, &api.TokenCreateRequest{Policies: []string{"apps", "stop"}})
	refused(403, read(both, creds))
	must(w.root.Sys().DeletePolicy("stop"))
	must(read(both, creds))
	must(w.root.Sys().PutPolicy("apps", `path "nothing" { capabilities = ["read"] }`))
	refused(403, read(app, creds))
}
