// The guide: admin by policy, app by token, list, lookup, renew, revoke, prefix, denial.
'use strict';

const assert = require('node:assert/strict');
const { CONFIG, PG_PASSWORD, PG_USER, ROLE, ends, holder, psql, refused, root } = require('./world');

const MOUNT = 'node-db';
const PATH = `${MOUNT}/creds/readonly`;
const ALL = '"create", "read", "update", "delete", "list"';
const ADMIN = `
path "sys/mounts/*" { capabilities = [${ALL}] }
path "${MOUNT}/*" { capabilities = [${ALL}] }
path "sys/policy/*" { capabilities = [${ALL}] }
path "auth/token/create" { capabilities = [${ALL}, "sudo"] }
path "sys/leases/+/${PATH}/*" { capabilities = [${ALL}, "sudo"] }
path "sys/leases/+/${PATH}" { capabilities = [${ALL}, "sudo"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
`;

module.exports = async () => {
  assert.equal((await root().health()).initialized, true);
  assert.equal((await root().initialized()).initialized, true);
  assert.equal((await root().status()).sealed, false);
  const table = psql(PG_USER, PG_PASSWORD, 'create table node_orders (id int); insert into node_orders values (1)');
  assert.ok(table.ok, table.error);

  await root().addPolicy({ name: 'node-admin', rules: ADMIN });
  assert.equal((await root().getPolicy({ name: 'node-admin' })).rules, ADMIN);
  const admin = await holder(root(), { policies: ['node-admin'] });
  await admin.mount({ mount_point: MOUNT, type: 'database' });
  assert.ok(`${MOUNT}/` in (await root().mounts()).data);
  await admin.write(`${MOUNT}/config/postgresql`, CONFIG);
  const shown = (await admin.read(`${MOUNT}/config/postgresql`)).data;
  assert.deepEqual(shown.allowed_roles, ['readonly']);
  assert.ok(!('password' in shown.connection_details));
  await admin.write(`${MOUNT}/roles/readonly`, ROLE);
  assert.deepEqual((await admin.list(`${MOUNT}/roles`)).data.keys, ['readonly']);
  assert.equal((await admin.read(`${MOUNT}/roles/readonly`)).data.default_ttl, 3600);

  await admin.addPolicy({ name: 'node-apps', rules: `path "${PATH}" { capabilities = ["read"] }` });
  const app = await holder(admin, { policies: ['node-apps'] });
  const first = await app.read(PATH);
  const second = await app.read(PATH);
  assert.notEqual(first.data.username, second.data.username);
  assert.equal(first.lease_duration, 3600);
  assert.equal(first.renewable, true);
  const { username, password } = first.data;
  assert.equal(psql(username, password, 'select count(*) from node_orders').out, '1');
  assert.match(psql(username, password, 'insert into node_orders values (2)').error, /permission denied/);
  await refused(403, app.read(`${MOUNT}/roles/readonly`));
  await refused(403, app.list(`sys/leases/lookup/${PATH}`));

  assert.equal((await admin.list(`sys/leases/lookup/${PATH}`)).data.keys.length, 2);
  const lease = { lease_id: first.lease_id };
  assert.equal((await root().write('sys/leases/lookup', lease)).data.id, first.lease_id);
  assert.equal((await admin.renew({ ...lease, increment: 7200 })).lease_duration, 7200);
  const capped = (await admin.renew({ ...lease, increment: 999999 })).lease_duration;
  assert.ok(86400 - 60 < capped && capped <= 86400, `a day from the issue, not ${capped} s`);
  await admin.revoke(lease);
  await refused(400, root().write('sys/leases/lookup', lease));
  assert.ok(await ends(first.data));
  // node-vault's own word for it is the path of older servers.
  await root().revokePrefix({ path_prefix: PATH });
  await refused(404, admin.list(`sys/leases/lookup/${PATH}`));
  assert.ok(await ends(second.data));

  const third = (await app.read(PATH)).data;
  const accessor = (await app.tokenLookupSelf()).data.accessor;
  await root().tokenRevokeAccessor({ accessor });
  await refused(403, app.read(PATH));
  assert.ok(await ends(third), "a token's end ends its leases");

  await admin.unmount({ mount_point: MOUNT });
  assert.ok(!(`${MOUNT}/` in (await root().mounts()).data));
  for (const name of ['node-admin', 'node-apps']) {
    await root().removePolicy({ name });
  }
};
