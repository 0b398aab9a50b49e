// node-vault, unmodified, against a broker: the guide, wrapping, the token tree, denial. Ends at the first surprise.
'use strict';

const { prepare } = require('./world');

async function main() {
  await require('./guide')();
  console.log('guide: ok');
  await prepare();
  for (const name of ['wrapping', 'token_tree', 'denial']) {
    await require(`./${name}`)();
    console.log(`${name.replace('_', ' ')}: ok`);
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
