package main

import (
	"strings"

	"github.com/hashicorp/vault/api"
)

// wrapping is response wrapping: an answer that whoever holds a token reads once.
func wrapping(w *world) {
	asking := func(ttl string) *api.Client {
		made := client(env("ROOT_TOKEN"))
		made.SetWrappingLookupFunc(func(string, string) string { return ttl })
		return made
	}
	answer := got(asking("5m").Logical().Read(creds))
	want(answer.Data == nil && answer.WrapInfo.TTL == 300 && answer.WrapInfo.CreationPath == creds, "%+v", answer.WrapInfo)
	credentials := got(client(answer.WrapInfo.Token).Logical().Unwrap(""))
	want(credentials.LeaseDuration == 3600 && logsIn(credentials), "%+v", credentials)
	_, err := client(answer.WrapInfo.Token).Logical().Unwrap("")
	refused(400, err)

	token := got(asking("60s").Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"apps"}})).WrapInfo
	want(token.WrappedAccessor != "", "no accessor")
	// By somebody else's token, named in the body.
	inner := got(w.root.Logical().Unwrap(token.Token)).Auth.ClientToken
	want(logsIn(got(client(inner).Logical().Read(creds))), "the token that was wrapped")
	_, err = w.root.Logical().Unwrap(token.Token)
	said := refused(400, err)
	want(strings.Contains(said, "wrapping token is not valid or does not exist"), "%s", said)
}
