package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

const creds = "database/creds/readonly"

var statements = []string{
	`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;`,
	`GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}";`,
}

// world is where the parts run: the broker's root and a PostgreSQL to look at.
type world struct {
	root *api.Client
}

func newWorld() *world {
	return &world{root: client(env("ROOT_TOKEN"))}
}

// client is somebody with this token. The address comes from VAULT_ADDR.
func client(token string) *api.Client {
	made := got(api.NewClient(api.DefaultConfig()))
	made.SetMaxRetries(0)
	made.SetToken(token)
	return made
}

// holder is somebody with a new token, made by another.
func holder(by *api.Client, request *api.TokenCreateRequest) *api.Client {
	return client(got(by.Auth().Token().Create(request)).Auth.ClientToken)
}

func config() map[string]any {
	return map[string]any{
		"plugin_name":    "postgresql-database-plugin",
		"allowed_roles":  []string{"readonly"},
		"connection_url": fmt.Sprintf("postgresql://{{username}}:{{password}}@%s:%s/postgres?sslmode=disable", env("PG_HOST"), env("PG_PORT")),
		"username":       env("PG_USER"),
		"password":       env("PG_PASSWORD"),
	}
}

func role() map[string]any {
	return map[string]any{"db_name": "postgresql", "creation_statements": statements, "default_ttl": "1h", "max_ttl": "24h"}
}

// prepare mounts the engine at database/ with the role readonly, and writes the policy apps that may read its credentials.
func (w *world) prepare() {
	must(w.root.Sys().Mount("database", &api.MountInput{Type: "database"}))
	got(w.root.Logical().Write("database/config/postgresql", config()))
	got(w.root.Logical().Write("database/roles/readonly", role()))
	must(w.root.Sys().PutPolicy("apps", `path "`+creds+`" { capabilities = ["read"] }`))
}

// psql runs statements as a login: what it printed, and what it complained of.
func psql(user, password, sql string) (string, error) {
	run := exec.Command("psql", "-XAt", "-v", "ON_ERROR_STOP=1", "-h", env("PG_HOST"), "-p", env("PG_PORT"), "-d", "postgres", "-U", user, "-c", sql)
	run.Env = append(os.Environ(), "PGPASSWORD="+password)
	out, err := run.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", errors.New(text)
	}
	return text, nil
}

// text is a text in an answer's data.
func text(secret *api.Secret, name string) string {
	value, is := secret.Data[name].(string)
	want(is, "no text %s in %v", name, secret.Data)
	return value
}

func logsIn(secret *api.Secret) bool {
	_, err := psql(text(secret, "username"), text(secret, "password"), "select 1")
	return err == nil
}

// ends is whether a login ends soon: an answer says that its end is certain, and it follows within a second.
func ends(secret *api.Secret) bool {
	for tries := 0; tries < 100; tries++ {
		if !logsIn(secret) {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// refused ends the run unless the error is the API's with this status; what it says.
func refused(status int, err error) string {
	var answer *api.ResponseError
	want(errors.As(err, &answer), "not refused with %d: %v", status, err)
	want(answer.StatusCode == status, "refused with %d instead of %d: %v", answer.StatusCode, status, err)
	return strings.Join(answer.Errors, "; ")
}
