// Response wrapping: an answer that whoever holds a token reads once.
'use strict';

const assert = require('node:assert/strict');
const { CREDS, client, logsIn, refused, root } = require('./world');

const wrapped = (ttl) => ({ headers: { 'X-Vault-Wrap-TTL': ttl } });

module.exports = async () => {
  const answer = await root().read(CREDS, wrapped('5m'));
  assert.equal(answer.data, null);
  assert.equal(answer.wrap_info.ttl, 300);
  assert.equal(answer.wrap_info.creation_path, CREDS);
  const credentials = await client(answer.wrap_info.token).unwrap();
  assert.equal(credentials.lease_duration, 3600);
  assert.ok(logsIn(credentials.data));
  await refused(400, client(answer.wrap_info.token).unwrap());

  const { wrap_info: token } = await root().write('auth/token/create', { policies: ['apps'] }, wrapped('60s'));
  assert.ok(token.wrapped_accessor);
  // By somebody else's token, named in the body.
  const inner = await root().unwrap({ token: token.token });
  assert.ok(logsIn((await client(inner.auth.client_token).read(CREDS)).data));
  const error = await refused(400, root().unwrap({ token: token.token }));
  assert.match(String(error), /wrapping token is not valid or does not exist/);
};
