// Policies: what none grants is refused, `deny` wins, and a change counts at the next request.
'use strict';

const assert = require('node:assert/strict');
const { CREDS, client, holder, refused, root } = require('./world');

module.exports = async () => {
  const app = await holder(root(), { policies: ['apps'] });
  for (const call of [
    () => app.read('database/roles/readonly'),
    () => app.read('database/creds/other'),
    () => app.mounts(),
    () => app.write('auth/token/create', { policies: ['apps'] }),
    () => app.addPolicy({ name: 'apps', rules: 'path "*" { capabilities = ["sudo"] }' }),
  ]) {
    assert.match(String(await refused(403, call())), /permission denied/);
  }
  await refused(403, client('hvs.nobody').read(CREDS));
  const capabilities = await app.write('sys/capabilities-self', { paths: [CREDS] });
  assert.deepEqual(capabilities.data.capabilities, ['read']);

  await root().addPolicy({ name: 'stop', rules: `path "${CREDS}" { capabilities = ["deny"] }` });
  const both = await holder(root(), { policies: ['apps', 'stop'] });
  await refused(403, both.read(CREDS));
  await root().removePolicy({ name: 'stop' });
  await both.read(CREDS);
  await root().addPolicy({ name: 'apps', rules: 'path "nothing" { capabilities = ["read"] }' });
  await refused(403, app.read(CREDS));
};
