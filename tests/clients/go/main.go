// Command clients runs github.com/hashicorp/vault/api, unmodified, against a broker: the guide, wrapping, the token
// tree, denial. It ends at the first surprise.
//
// Environment: VAULT_ADDR, ROOT_TOKEN, PG_HOST, PG_PORT, PG_USER, PG_PASSWORD.
package main

import (
	"fmt"
	"os"
)

func main() {
	w := newWorld()
	parts := []struct {
		name string
		run  func(*world)
	}{
		{"guide", guide},
		{"", (*world).prepare},
		{"wrapping", wrapping},
		{"token tree", tokenTree},
		{"denial", denial},
	}
	for _, part := range parts {
		part.run(w)
		if part.name != "" {
			fmt.Printf("%s: ok\n", part.name)
		}
	}
}

// must ends the run at an error.
func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

// got is must for a call with a value.
func got[T any](value T, err error) T {
	must(err)
	return value
}

// want ends the run unless the claim holds.
func want(claim bool, format string, values ...any) {
	if !claim {
		fail(format, values...)
	}
}

func fail(format string, values ...any) {
	panic(fmt.Sprintf(format, values...))
}

func env(name string) string {
	value, there := os.LookupEnv(name)
	want(there, "%s is not set", name)
	return value
}
