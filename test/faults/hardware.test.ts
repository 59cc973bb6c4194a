import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { FaultyAgent, refusal, until } from '../support/faulty-agent.ts';

async function hardwareAgent(keyring = ''): Promise<FaultyAgent> {
  const agent = await FaultyAgent.make({ keyring });
  onTestFinished(() => agent.remove());
  agent.module.script('mechanism-flags hw');
  return agent;
}

/**
 * A private key that was not made in the token, under the keyring's label, by a program that is not ours. The vault
 * host must have nothing to do.
 */
function importKey({ token, daemon }: FaultyAgent): void {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const path = join(daemon.folder, 'imported.der');
  writeFileSync(path, privateKey.export({ type: 'pkcs1', format: 'der' }), { mode: 0o600 });
  const access = ['--module', token.modulePath, '--token-label', 'test', '--login'];
  const key = ['--type', 'privkey', '--label', 'signing-agent/default', '--id', 'aa01'];
  const pin = readFileSync(token.pinFile, 'utf8').trim();
  execFileSync('pkcs11-tool', [...access, '--pin', 'env:PIN', '--write-object', path, ...key], {
    env: { ...process.env, ...token.environment, PIN: pin },
    stdio: 'pipe',
  });
}

it('CKF_HW and keys that were made in the token, never readable: hardware, for as long as that is so', async () => {
  const agent = await hardwareAgent('require = "hardware"');
  await agent.start();
  const hardware = { protection: 'hardware', is_hardware_backed: true };
  expect(await agent.client.describeBackend()).toMatchObject(hardware);
  await agent.client.rotate(60);
  for (const { protection, attributes } of await agent.client.listKeys()) {
    expect(protection).toBe('hardware');
    expect(attributes).toMatchObject({
      CKA_LOCAL: true,
      CKA_SENSITIVE: true,
      CKA_NEVER_EXTRACTABLE: true,
    });
  }
  await agent.freshHost();
  expect(await agent.client.describeBackend()).toMatchObject(hardware);

  agent.module.clear();
  await expectNothingSigned(agent);
  agent.module.script('mechanism-flags hw');
  await agent.recovered();
  expect(await agent.client.describeBackend()).toMatchObject(hardware);

  importKey(agent);
  await expectNothingSigned(agent);
});

it('CKF_HW and a key whose attributes deny it: software', async () => {
  const agent = await hardwareAgent();
  await agent.start();
  expect(await agent.client.describeBackend()).toMatchObject({ protection: 'hardware' });
  importKey(agent);
  await agent.freshHost();
  expect(await agent.client.describeBackend()).toMatchObject({
    protection: 'software',
    is_hardware_backed: false,
  });
});

it('no CKF_HW: the keyring is not opened where hardware is required', async () => {
  const agent = await hardwareAgent('require = "hardware"');
  agent.module.clear();
  const refused = await agent.daemon.refusedStart(...agent.flags);
  expect(refused.code).toBe(4);
  expect(refused.err).toMatch(/software.*requires hardware/);
  expect(agent.module.counts()).toMatchObject({ C_GenerateKeyPair: 0, C_Sign: 0 });
});

/** With the next process, in which the keys are less than what is required. */
async function expectNothingSigned(agent: FaultyAgent): Promise<void> {
  const calls = await agent.calls(async () => {
    process.kill(agent.host(), 'SIGKILL');
    for (let request = 0; request < 3; request += 1) {
      expect(await refusal(agent.sign())).toMatchObject({ kind: 'not_supported' });
    }
    await Promise.all(Array.from({ length: 20 }, () => refusal(agent.sign())));
    await refusal(agent.client.rotate(60));
    const { keyrings } = await agent.client.status();
    expect(keyrings).toMatchObject([{ health: 'unavailable' }]);
    // Also while it is tried again.
    const opened = agent.module.counts().C_GetMechanismInfo;
    await until('another attempt to open it', async () => {
      await refusal(agent.sign());
      return agent.module.counts().C_GetMechanismInfo > opened;
    });
    await refusal(agent.sign());
  });
  expect(calls).toMatchObject({ C_Sign: 0, C_SignInit: 0, C_GenerateKeyPair: 0 });
}
