import { expect, it, onTestFinished } from 'vitest';
import type { FaultModule, Rule } from '../support/fault-module.ts';
import { FaultyAgent, refusal, type FaultyAgentOptions } from '../support/faulty-agent.ts';
import { objectsInToken } from '../support/token-objects.ts';

type Rules = readonly Rule[];

/** An agent on a token that acts as these lines say; not started. */
async function agentOn(rules: Rules, options: FaultyAgentOptions = {}): Promise<FaultyAgent> {
  const agent = await FaultyAgent.make(options);
  onTestFinished(() => agent.remove());
  agent.module.script(...rules);
  return agent;
}

/** Each key that is valid by the records has signed. */
async function expectAllSign(agent: FaultyAgent, keyring = 'default'): Promise<void> {
  const keys = await agent.client.listValidPubkeys({ keyring });
  expect(keys.length).toBeGreaterThan(0);
  for (const { kid } of keys) {
    const made = await agent.client.sign(Buffer.from('a message'), { keyring, kid });
    expect(made.kid).toBe(kid);
  }
}

async function countInToken(agent: FaultyAgent, kind: string): Promise<number> {
  const objects = await objectsInToken(agent.token);
  return objects.filter((object) => object.kind === kind).length;
}

const tpm = 'device manufacturer tpm2-software.github.io' as const;
const yubico = 'device manufacturer Yubico' as const;
const netHsm = ['device manufacturer Nitrokey', 'device label-is-id', 'no-data-objects'] as const;

it('a handle that two objects have: another process finds the key by its id, and no key is lost', async () => {
  const agent = await agentOn(['device handles-twice']);
  await agent.start();
  for (let round = 0; round < 3; round += 1) {
    const before = agent.host();
    await agent.client.rotate(900);
    expect(agent.host()).not.toBe(before);
    await expectAllSign(agent);
  }
  const { kid } = await agent.client.prepare();
  await agent.client.revoke(kid);
  await agent.daemon.stop();
  expect(await countInToken(agent, 'Private Key')).toBe(4);
  expect(await countInToken(agent, 'Public Key')).toBe(4);
  expect(await countInToken(agent, 'Data')).toBe(1);
  agent.module.clear();
  await agent.start();
  await expectAllSign(agent);
});

it('a search that finds more than was asked for: the keys of another label stay', async () => {
  const second = (module: FaultModule): string =>
    `[keyrings.other]\nbackend = "pkcs11"\nuri = "${module.uri}"\n`;
  const agent = await agentOn(['device searches-by-class'], { tables: second });
  await agent.start();
  await agent.client.rotate(0);
  await agent.client.rotate(900, { keyring: 'other' });
  expect(await agent.client.pruneExpiredGrace()).toBe(1);
  const { kid } = await agent.client.prepare();
  await agent.client.revoke(kid);
  await expectAllSign(agent);
  await expectAllSign(agent, 'other');
  await agent.daemon.stop();
  expect(await countInToken(agent, 'Private Key')).toBe(3);
  expect(await countInToken(agent, 'Data')).toBe(2);
});

it('tpm2-pkcs11: the first seal stays, and one more stands beside it', async () => {
  const agent = await agentOn([tpm]);
  await agent.start();
  for (let round = 0; round < 3; round += 1) await agent.client.rotate(900);
  expect(await countInToken(agent, 'Data')).toBe(2);
  await agent.daemon.stop();
  await agent.start();
  await expectAllSign(agent);
  const { keyrings } = await agent.client.status();
  expect(keyrings).toMatchObject([{ rollback_protection: 'token' }]);
});

it('tpm2-pkcs11: a first key that is removed takes its process with it, before anything is made', async () => {
  const agent = await agentOn([tpm, 'no-data-objects']);
  await agent.start();
  await agent.client.rotate(0);
  const before = agent.host();
  expect(await agent.client.pruneExpiredGrace()).toBe(1);
  await agent.client.rotate(900);
  expect(agent.host()).not.toBe(before);
  await expectAllSign(agent);
});

it('tpm2-pkcs11: PIN_LOCKED names the command that ends a lockout, and the device', async () => {
  const agent = await agentOn([tpm, 'C_Login always return 164']);
  await agent.start();
  const { message } = await refusal(agent.sign());
  expect(message).toContain('tpm2_dictionarylockout --clear-lockout');
  expect(message).toContain('token "test" (tpm2-software.github.io SoftHSM v2, serial ');
  const { out } = await agent.agentctl('doctor', ...agent.flags);
  expect(out).toContain('"test" (tpm2-software.github.io SoftHSM v2, serial ');
});

it.each([
  ['Ed25519 asked of a TPM', tpm, /no TPM has Ed25519: set algorithm = "es256".*backend = "tpm"/],
  [
    'Ed25519 asked of a remote token',
    'device manufacturer PKCS#11_Kit',
    /does not pass EdDSA on.*algorithm = "es256"/,
  ],
  [
    'Ed25519 asked of any other token',
    'device manufacturer Somebody',
    /it has es256: set algorithm = "es256"/,
  ],
] as const)(
  '%s: what to ask for instead, from the start and from doctor',
  async (_, device, says) => {
    const agent = await agentOn([device, 'device lacks 0x1055']);
    const { code, err } = await agent.daemon.refusedStart(...agent.flags);
    expect(code).toBe(4);
    expect(err).toMatch(says);
    const { code: unwell, out } = await agent.agentctl('doctor', ...agent.flags);
    expect(unwell).toBe(1);
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(says);
  },
);

it('a YubiHSM: an id of two bytes, the printable name of the curve, the limit of the device', async () => {
  const rules: Rules = [yubico, 'device firmware 2 40', 'device id-length 2', 'device curve-names'];
  const agent = await agentOn(rules);
  await agent.start();
  await agent.client.rotate(900);
  await agent.freshHost();
  await agent.client.rotate(900);
  const keys = await agent.client.listKeys();
  expect(keys).toHaveLength(3);
  for (const { object_id } of keys) expect(object_id).toMatch(/^[0-9a-f]{4}$/);
  await expectAllSign(agent);
  expect(await refusal(agent.client.sign(Buffer.alloc(3111)))).toMatchObject({
    kind: 'too_large',
    details: { limit: 3110 },
  });
  await agent.client.sign(Buffer.alloc(3110));
});

it('yubihsm-pkcs11: the seal is a data object without CKA_PRIVATE, since with it no call comes back', async () => {
  const agent = await agentOn([yubico, 'device private-data-hangs'], {
    callTimeout: '5s',
    keyring: 'require_seal = true',
  });
  await agent.start();
  const before = agent.host();
  await agent.client.rotate(900);
  expect(agent.host()).toBe(before);
  const { keyrings } = await agent.client.status();
  expect(keyrings).toMatchObject([{ rollback_protection: 'token' }]);
});

it('a module that hangs as it writes a seal keeps none, and is refused where one is required', async () => {
  const agent = await agentOn(['device private-data-hangs'], { callTimeout: '5s' });
  const start = agent.start();
  const { reason } = await agent.daemon.logged(({ msg }) => /keeps no seal/.test(msg));
  expect(reason).toMatch(/did not come back from writing one/);
  await start;
  await agent.client.rotate(900);
  await expectAllSign(agent);

  const strict = await agentOn(['device private-data-hangs'], {
    callTimeout: '5s',
    keyring: 'require_seal = true',
  });
  const { code, err } = await strict.daemon.refusedStart(...strict.flags);
  expect(code).toBe(4);
  expect(err).toMatch(/require_seal is set, and its token keeps no seal/);
});

it('a NetHSM: ids of letters and digits, which are the labels too', async () => {
  const agent = await agentOn([...netHsm], {
    tables: (module) => `[keyrings.other]\nbackend = "pkcs11"\nuri = "${module.uri}"\n`,
  });
  await agent.start();
  await agent.client.rotate(0);
  await agent.client.rotate(900);
  await agent.client.rotate(900, { keyring: 'other' });
  expect(await agent.client.pruneExpiredGrace()).toBe(1);
  await agent.daemon.stop();
  await agent.start();
  for (const { object_id } of await agent.client.listKeys()) {
    expect(Buffer.from(object_id ?? '', 'hex').toString()).toMatch(/^sa[0-9a-f]{40}$/);
  }
  await expectAllSign(agent);
  await expectAllSign(agent, 'other');
});

it('a NetHSM: CKR 0x103 for a wrong PIN, which is not tried again', async () => {
  const agent = await agentOn([...netHsm, 'C_Login always return 259']);
  await agent.start();
  expect(await refusal(agent.sign())).toMatchObject({ kind: 'locked' });
  const { C_Login } = await agent.calls(async () => {
    await agent.daemon.stop();
    await agent.start();
    expect(await refusal(agent.sign())).toMatchObject({ kind: 'locked' });
  });
  expect(C_Login).toBe(0);
});

it('two keyrings on one module with different library_parameters: refused, from the start and from doctor', async () => {
  const agent = await agentOn([], {
    keyring: 'library_parameters = "one"',
    tables: ({ uri }) =>
      `[keyrings.other]\nbackend = "pkcs11"\nuri = "${uri}"\nlibrary_parameters = "two"\n`,
  });
  const says = /keyrings\.other\.library_parameters: keyring default is on the same module/;
  const { code, err } = await agent.daemon.refusedStart(...agent.flags);
  expect(code).toBe(2);
  expect(err).toMatch(says);
  const { code: unwell, out } = await agent.agentctl('doctor', ...agent.flags);
  expect(unwell).toBe(1);
  expect(out).toMatch(says);
});
