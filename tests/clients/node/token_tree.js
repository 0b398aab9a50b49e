// The token tree: a child ends with its parent, and its leases with it; an orphan lives on.
'use strict';

const assert = require('node:assert/strict');
const { CREDS, ends, holder, logsIn, refused, root } = require('./world');

module.exports = async () => {
  await root().addPolicy({ name: 'parent', rules: 'path "auth/token/create" { capabilities = ["update", "sudo"] }' });
  const parent = await holder(root(), { policies: ['parent', 'apps'], ttl: '1h' });
  const child = await holder(parent, { policies: ['apps'] });
  const orphan = await holder(parent, { policies: ['apps'], no_parent: true });
  const grandchild = await holder(await holder(parent, { policies: ['parent', 'apps'] }), { policies: ['apps'] });
  assert.equal((await orphan.tokenLookupSelf()).data.orphan, true);
  assert.equal((await child.tokenLookupSelf()).data.orphan, false);
  const credentials = [];
  for (const who of [child, grandchild, orphan]) {
    credentials.push((await who.read(CREDS)).data);
  }
  assert.deepEqual(credentials.map(logsIn), [true, true, true]);

  await parent.tokenRevokeSelf();
  for (const who of [parent, child, grandchild]) {
    await refused(403, who.tokenLookupSelf());
  }
  assert.deepEqual((await orphan.tokenLookupSelf()).data.policies, ['apps', 'default']);
  assert.ok((await ends(credentials[0])) && (await ends(credentials[1])) && logsIn(credentials[2]));
};
