// Where the parts run: the broker's root, a PostgreSQL to look at, and a mount with the role `readonly`.
// Environment: VAULT_ADDR, ROOT_TOKEN, PG_HOST, PG_PORT, PG_USER, PG_PASSWORD.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const vault = require('node-vault');

const { VAULT_ADDR, ROOT_TOKEN, PG_HOST, PG_PORT, PG_USER, PG_PASSWORD } = process.env;
const CREDS = 'database/creds/readonly';
const STATEMENTS = [
  `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;`,
  `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}";`,
];
const CONFIG = {
  plugin_name: 'postgresql-database-plugin',
  allowed_roles: 'readonly',
  connection_url: `postgresql://{{username}}:{{password}}@${PG_HOST}:${PG_PORT}/postgres?sslmode=disable`,
  username: PG_USER,
  password: PG_PASSWORD,
};
const ROLE = { db_name: 'postgresql', creation_statements: STATEMENTS, default_ttl: '1h', max_ttl: '24h' };

const client = (token) => vault({ endpoint: VAULT_ADDR, token });
const root = () => client(ROOT_TOKEN);

/** Somebody with a new token, made by `by`. node-vault takes over a token that it makes, so it is asked through `write`. */
async function holder(by, options) {
  const made = await by.write('auth/token/create', options);
  return client(made.auth.client_token);
}

function psql(user, password, sql) {
  const words = ['-XAt', '-v', 'ON_ERROR_STOP=1', '-h', PG_HOST, '-p', PG_PORT, '-d', 'postgres', '-U', user, '-c', sql];
  const run = spawnSync('psql', words, { env: { ...process.env, PGPASSWORD: password }, encoding: 'utf8', timeout: 30_000 });
  return { ok: run.status === 0, out: run.stdout.trim(), error: run.stderr.trim() };
}

const logsIn = ({ username, password }) => psql(username, password, 'select 1').ok;

/** Whether a login ends soon: an answer says that its end is certain, and it follows within a second. */
async function ends(credentials) {
  for (let tries = 0; tries < 100; tries += 1) {
    if (!logsIn(credentials)) {
      return true;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  return false;
}

/** Waits for the refusal of a call; the error. */
async function refused(status, promise) {
  let error = null;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `not refused with ${status}`);
  assert.equal(error.response?.statusCode, status, String(error));
  return error;
}

/** Mounts the engine at database/ with the role `readonly`, and the policy `apps` that may read its credentials. */
async function prepare() {
  await root().mount({ mount_point: 'database', type: 'database' });
  await root().write('database/config/postgresql', CONFIG);
  await root().write('database/roles/readonly', ROLE);
  await root().addPolicy({ name: 'apps', rules: `path "${CREDS}" { capabilities = ["read"] }` });
}

module.exports = { CONFIG, CREDS, ROLE, PG_PASSWORD, PG_USER, client, ends, holder, logsIn, prepare, psql, refused, root };
