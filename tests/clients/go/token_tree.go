package main

import (
	"fmt"

	"github.com/hashicorp/vault/api"
)

// tokenTree is the token tree: a child ends with its parent, and its leases with it; an orphan lives on.
func tokenTree(w *world) {
	must(w.root.Sys().PutPolicy("parent", `path "auth/token/create" { capabilities = ["update", "sudo"] }`))
	parents, apps := []string{"parent", "apps"}, []string{"apps"}
	parent := holder(w.root, &api.TokenCreateRequest{Policies: parents, TTL: "1h"})
	child := holder(parent, &api.TokenCreateRequest{Policies: apps})
	orphan := holder(parent, &api.TokenCreateRequest{Policies: apps, NoParent: true})
	grandchild := holder(holder(parent, &api.TokenCreateRequest{Policies: parents}), &api.TokenCreateRequest{Policies: apps})
	self := func(who *api.Client) (*api.Secret, error) { return who.Auth().Token().LookupSelf() }
	want(got(self(orphan)).Data["orphan"] == true && got(self(child)).Data["orphan"] == false, "orphans")
	var credentials []*api.Secret
	for _, who := range []*api.Client{child, grandchild, orphan} {
		credentials = append(credentials, got(who.Logical().Read(creds)))
	}
	for _, one := range credentials {
		want(logsIn(one), "%s does not log in", text(one, "username"))
	}

	must(parent.Auth().Token().RevokeSelf(""))
	for _, who := range []*api.Client{parent, child, grandchild} {
		_, err := self(who)
		refused(403, err)
	}
	want(fmt.Sprint(got(got(self(orphan)).TokenPolicies())) == "[apps default]", "the orphan's policies")
	want(ends(credentials[0]) && ends(credentials[1]), "a login outlives the tree")
	want(logsIn(credentials[2]), "the orphan's login has ended")
}
