import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';
import { compare, type Sidecar } from '../support/token-objects.ts';
import { keyFilesIn } from '../support/tpm-files.ts';

/** Agent or vault host is killed while a key is taken over: the key file stays, and nothing is left over of a copy. */

let tpm: Swtpm;
const daemons: Daemon[] = [];
beforeEach(async () => {
  tpm = await startSwtpm();
});
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.remove();
  await tpm.remove();
});

test.each([
  ['change/announced', false],
  ['tpm/key-made', false],
  ['change/generated', false],
  ['change/saved', true],
] as const)('at %s', async (failpoint, isKept) => {
  await tpm.openssl(
    'genpkey',
    ...['-provider', 'tpm2', '-provider', 'default', '-algorithm', 'EC'],
    ...['-pkeyopt', 'group:P-256', '-out', 'theirs.pem'],
  );
  const theirs = join(tpm.dir, 'theirs.pem');
  const before = readFileSync(theirs);
  const first = new Daemon();
  daemons.push(first);
  const config = first.config(
    `[keyrings.default]\nbackend = "tpm"\ndevice = "${tpm.device}"\nalgorithm = "es256"\npcrs = [7]\n`,
  );
  await first.start('--config', config);
  expect(await first.stop()).toBe(0);

  const killed = new Daemon({ SIGNING_AGENT_FAILPOINT: `${failpoint}:1` });
  daemons.push(killed);
  const where = ['--config', config, '--state-dir', first.stateDir];
  await killed.start(...where);
  const cutOff = await killed.agentctl(['keys', 'import', theirs]);
  expect(cutOff.code).not.toBe(0);
  await killed.stop('SIGKILL');
  expect(readFileSync(theirs)).toEqual(before);

  await first.start(...where);
  const { keys } = JSON.parse((await first.agentctl(['--json', 'keys', 'list'])).out) as {
    keys: { state: string }[];
  };
  expect(keys.map(({ state }) => state)).toEqual(isKept ? ['active', 'prepared'] : ['active']);
  const again = await first.agentctl(['keys', 'import', theirs]);
  expect(again.code).toBe(isKept ? 1 : 0);
  const rotated = await first.agentctl(['keys', 'rotate']);
  expect(rotated).toMatchObject({ code: 0, err: '' });
  const signed = await first.agentctl(['sign'], 'hello');
  expect(signed).toMatchObject({ code: 0, err: '' });
  expect(await first.stop()).toBe(0);
  const sidecar = readFileSync(join(first.stateDir, 'keyrings', 'default.json'), 'utf8');
  compare(JSON.parse(sidecar) as Sidecar, keyFilesIn(first.stateDir));
});
