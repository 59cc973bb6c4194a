import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Daemon, type Ended } from '../support/daemon.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let token: SoftHsmToken;
let daemon: Daemon;
let pin: string;
const wrong = '0000wrong';

beforeEach(async () => {
  token = await makeToken('prod');
  pin = readFileSync(token.pinFile, 'utf8').trim();
  daemon = new Daemon(token.environment);
});
afterEach(async () => {
  await daemon.remove();
  await token.remove();
});

/** One keyring in the token, one in a file. */
function config(uri: string): string {
  return daemon.config(
    `[keyrings.default]\nbackend = "pkcs11"\nuri = "${uri}"\n[keyrings.ci]\nbackend = "file"\n`,
  );
}
const withoutPin = (): string => token.uri.replace(/&pin-source=[^&"]*/, '');
const unlock = (given: string, ...flags: string[]): Promise<Ended> =>
  daemon.agentctl(['unlock', '--pin-file', '-', ...flags], `${given}\n`);
const sign = (...flags: string[]): Promise<Ended> => daemon.agentctl([...flags, 'sign'], 'message');
const refusedLogins = (): number =>
  daemon.log.filter(({ msg }) => msg.includes('the token refused the PIN')).length;

/** Everything that the agent has said and written, but for the token and the file with the PIN. */
function saidAndWritten(): string {
  const keyrings = join(daemon.stateDir, 'keyrings');
  const files = readdirSync(keyrings).map((name) => readFileSync(join(keyrings, name), 'utf8'));
  return [...files, JSON.stringify(daemon.log)].join('\n');
}

test('without a PIN source the keyring starts locked; unlock opens it, lock closes it', async () => {
  await daemon.start('--config', config(withoutPin()), '--log-level', 'debug');
  expect(await sign()).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('agentctl unlock --keyring default') as string,
  });
  expect((await sign('--keyring', 'ci')).code).toBe(0);
  expect((await daemon.agentctl(['status'])).out).toMatch(/health +locked/);

  expect(await unlock(pin)).toMatchObject({ code: 0, out: 'keyring default is unlocked\n' });
  expect((await sign()).code).toBe(0);
  expect((await daemon.agentctl(['keys', 'rotate'])).code).toBe(0);
  // It is open: what is given now is not tried.
  expect((await unlock(wrong)).code).toBe(0);

  expect(await daemon.agentctl(['lock'])).toMatchObject({
    code: 0,
    out: 'keyring default is locked\n',
  });
  for (const args of [['sign'], ['keys', 'list'], ['keys', 'rotate']]) {
    const refused = await daemon.agentctl(args, 'message');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('an operator locked it');
  }
  expect((await sign('--keyring', 'ci')).code).toBe(0);
  expect((await unlock(pin)).code).toBe(0);
  expect((await sign()).code).toBe(0);
  expect(
    (await daemon.agentctl(['keys', 'list'])).out.match(/^[0-9a-f]{8} +\S* *(?:active|grace)/gm)
      ?.length,
  ).toBe(2);
  expect(await daemon.stop()).toBe(0);
  expect(refusedLogins()).toBe(0);
  expect(saidAndWritten()).not.toContain(pin);
});

test('a wrong PIN is tried once, through restarts, until the file has another one', async () => {
  writeFileSync(token.pinFile, `${wrong}\n`, { mode: 0o600 });
  for (let start = 0; start < 3; start += 1) {
    await daemon.start('--config', config(token.uri), '--log-level', 'debug');
    expect((await sign()).err).toMatch(/locked.*CKR_PIN_INCORRECT/);
    expect((await sign('--keyring', 'ci')).code).toBe(0);
    await daemon.stop();
  }
  expect(refusedLogins()).toBe(1);
  expect(saidAndWritten()).not.toContain(wrong);

  writeFileSync(token.pinFile, `${pin}\n`, { mode: 0o600 });
  await daemon.start('--config', config(token.uri));
  expect((await sign()).code).toBe(0);
});

test('a wrong PIN of an operator is not tried twice, but for --again; the right one clears that', async () => {
  await daemon.start('--config', config(withoutPin()));
  const refused = await unlock(wrong);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('CKR_PIN_INCORRECT');
  expect(refused.err).not.toContain(wrong);
  expect((await unlock(wrong)).err).toContain('so it was not tried');
  await daemon.stop();
  await daemon.start('--config', config(withoutPin()));
  expect((await unlock(wrong)).err).toContain('agentctl unlock --keyring default --again');
  expect(refusedLogins()).toBe(1);
  expect((await unlock(wrong, '--again')).err).toContain('CKR_PIN_INCORRECT');
  expect(refusedLogins()).toBe(2);
  expect((await unlock(pin)).code).toBe(0);
  expect((await sign()).code).toBe(0);
  await daemon.agentctl(['lock']);
  expect((await unlock(wrong)).err).toContain('CKR_PIN_INCORRECT');
  expect(refusedLogins()).toBe(3);
});

test('a memory of refused PINs that is broken is not taken for an empty one', async () => {
  writeFileSync(token.pinFile, `${wrong}\n`, { mode: 0o600 });
  await daemon.start('--config', config(token.uri));
  await daemon.stop();
  const memory = join(daemon.stateDir, 'keyrings', 'default.pin-refused.json');
  writeFileSync(memory, readFileSync(memory, 'utf8').slice(0, -20));
  await daemon.start('--config', config(token.uri));
  expect((await sign()).err).toContain(memory);
  expect((await unlock(pin)).err).toContain('--again');
  expect((await unlock(pin, '--again')).code).toBe(0);
  expect((await sign()).code).toBe(0);
  expect(refusedLogins()).toBe(1);
});
