import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { randomBytes, verify } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Daemon, type Ended } from '../support/daemon.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';

let tpm: Swtpm;
let daemon: Daemon;
beforeEach(async () => {
  tpm = await startSwtpm();
  daemon = new Daemon();
});
afterEach(async () => {
  await daemon.remove();
  await tpm.remove();
});

function configure(lines: string): string {
  return daemon.config(`[keyrings.default]\nbackend = "tpm"\ndevice = "${tpm.device}"\n${lines}`);
}
const offline = (config: string, ...args: string[]): Promise<Ended> =>
  daemon.agentctl([...args, '--config', config, '--state-dir', daemon.stateDir]);
const ctl = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await daemon.agentctl(args, 'hello');
  expect(err).toBe('');
  expect(code).toBe(0);
  return out;
};
const file = (name: string, text: string): string => {
  const path = join(daemon.folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const status = async (): Promise<string> => ctl('status');

describe.each(['es256', 'ed25519'])('%s in a TPM', (algorithm) => {
  test('signs, rotates, and goes on after the end of agent, vault host and TPM', async () => {
    const config = configure(`algorithm = "${algorithm}"\n`);
    await daemon.start('--config', config);
    const signature = file('signature', await ctl('sign'));
    await ctl('verify', '--signature', signature);
    await ctl('keys', 'rotate', '--grace', '7d');
    await ctl('verify', '--signature', signature);
    const pids = daemon.log.filter(({ msg }) => msg === 'vault host started');
    process.kill(Number(pids.at(-1)?.['pid']), 'SIGKILL');
    await daemon.logged(({ msg }) => msg === 'the vault host ended');
    await ctl('verify', '--signature', file('second', await ctl('sign')));
    await daemon.stop('SIGKILL');
    await tpm.restart();
    await daemon.start('--config', config);
    await ctl('verify', '--signature', signature);
    expect(await status()).toContain('old copies  noticed');
    expect(await daemon.stop()).toBe(0);
  });

  test('an older copy of the key records is refused, and can be accepted knowingly', async () => {
    const config = configure(`algorithm = "${algorithm}"\n`);
    await daemon.start('--config', config);
    const sidecar = join(daemon.stateDir, 'keyrings', 'default.json');
    const seal = join(daemon.stateDir, 'keyrings', 'default.tpm', 'seal.json');
    const older = [readFileSync(sidecar), readFileSync(seal)] as const;
    await ctl('keys', 'rotate', '--grace', '0s');
    await daemon.stop();
    writeFileSync(sidecar, older[0]);
    writeFileSync(seal, older[1]);
    const refused = await daemon.refusedStart('--config', config);
    expect(refused.code).toBe(4);
    expect(refused.err).toContain('is an older copy');
    const accepted = await offline(config, 'reconcile', '--accept-records', '--apply');
    expect(accepted.code).toBe(0);
    await daemon.start('--config', config);
    await ctl('sign');
  });

  test('a PIN that an operator gives opens it, and a wrong one is not tried twice', async () => {
    const config = configure(
      `algorithm = "${algorithm}"\npin-source = "file:${file('pin', '1234\n')}"\n`,
    );
    await daemon.start('--config', config);
    await ctl('sign');
    await daemon.stop();
    const asking = configure(`algorithm = "${algorithm}"\npin-source = "credential"\n`);
    await daemon.start('--config', asking);
    expect((await daemon.agentctl(['sign'], 'hello')).err).toContain('locked');
    const wrong = file('wrong', 'wrong\n');
    expect((await daemon.agentctl(['unlock', '--pin-file', wrong])).err).toContain(
      'the TPM refused the PIN',
    );
    expect((await daemon.agentctl(['unlock', '--pin-file', wrong])).err).toContain('was not tried');
    await ctl('unlock', '--pin-file', join(daemon.folder, 'pin'));
    await ctl('sign');
  });

  test('its key is sealed anew for another PIN and for PCRs that changed', async () => {
    const identity = await generateX25519Identity();
    const recovery = `recovery = "${await identityToRecipient(identity)}"\n`;
    const identities = file('identity', `${identity}\n`);
    const first = configure(
      `algorithm = "${algorithm}"\npin-source = "file:${file('pin', '1234\n')}"\n${recovery}`,
    );
    await daemon.start('--config', first);
    const signature = file('signature', await ctl('sign'));
    const running = await offline(first, 'keys', 'reseal');
    expect(running.code).toBe(1);
    expect(running.err).toContain('is running an agent on');
    await daemon.stop();
    const second = configure(
      `algorithm = "${algorithm}"\npcrs = [7]\npin-source = "file:${file('new', '5678\n')}"\n${recovery}`,
    );
    const refused = await daemon.refusedStart('--config', second);
    expect(refused.err).toContain('is sealed to no PCRs, and the configuration says PCR 7');
    const unsaid = await offline(second, 'keys', 'reseal', '--old-pin-file', file('no', 'no\n'));
    expect(unsaid.err).toContain('the TPM refused the PIN');
    const resealed = await offline(
      second,
      'keys',
      'reseal',
      '--old-pin-file',
      file('old', '1234\n'),
    );
    expect(resealed.err).toBe('');
    expect(resealed.out).toContain(
      'is sealed to PCR 7 and a PIN now\nbefore it was sealed to a PIN\n',
    );
    await daemon.start('--config', second);
    await ctl('verify', '--signature', signature);
    await ctl('sign');
    await daemon.stop();
    await tpm.tools('tpm2_pcrextend', `7:sha256=${randomBytes(32).toString('hex')}`);
    const changed = await daemon.refusedStart('--config', second);
    expect(changed.code).toBe(4);
    expect(changed.err).toContain('agentctl keys reseal --keyring default --identity FILE');
    const recovered = await offline(second, 'keys', 'reseal', '--identity', identities);
    expect(recovered.err).toBe('');
    await daemon.start('--config', second);
    await ctl('verify', '--signature', signature);
    await ctl('sign');
  });
});

/** Of OpenSSL's provider; the TPM serves it while no agent has it. */
async function keyOfOpenssl(): Promise<string> {
  await tpm.openssl(
    'genpkey',
    ...['-provider', 'tpm2', '-provider', 'default', '-algorithm', 'EC'],
    ...['-pkeyopt', 'group:P-256', '-out', 'theirs.pem'],
  );
  return join(tpm.dir, 'theirs.pem');
}
interface Listed {
  readonly kid: string;
  readonly state: string;
  readonly object_id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}
const listed = async (): Promise<readonly Listed[]> =>
  (JSON.parse(await ctl('--json', 'keys', 'list')) as { keys: Listed[] }).keys;

test('a key of OpenSSL is imported, becomes active by a rotation, and OpenSSL signs with either file', async () => {
  const theirs = await keyOfOpenssl();
  const config = configure('algorithm = "es256"\n');
  await daemon.start('--config', config);
  const imported = await ctl('keys', 'import', theirs);
  const kid = /^imported ([0-9a-f]{8}): to be active at the next rotation$/m.exec(imported)?.[1];
  expect(imported).toContain('its key file may be used in this TPM as before');
  expect(imported).toContain('(decrypt)');
  const key = (await listed()).find((one) => one.kid === kid);
  expect(key).toMatchObject({
    ...{ state: 'prepared', protection: 'software' },
    attributes: { made: 'in the TPM, by another program', fixedTPM: true, decrypt: true },
  });
  const again = await daemon.agentctl(['keys', 'import', theirs]);
  expect(again.err).toContain(`key ${kid} is prepared already`);
  await ctl('keys', 'rotate', '--grace', '7d');
  const signature = file('signature', await ctl('--json', 'sign'));
  expect(JSON.parse(readFileSync(signature, 'utf8'))).toMatchObject({ kid });
  await ctl('verify', '--signature', file('raw', await ctl('sign')));
  expect((await daemon.agentctl(['keys', 'import', theirs])).err).toContain(
    `key ${kid} is in this keyring already`,
  );
  await daemon.stop();

  const ours = join(daemon.stateDir, 'keyrings', 'default.tpm', `${key?.object_id}.pem`);
  const provider = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'];
  writeFileSync(join(tpm.dir, 'message'), 'hello');
  for (const path of [theirs, ours]) {
    const made = ['dgst', '-sha256', ...provider, '-sign', path, '-out', 'made', 'message'];
    await tpm.openssl(...made);
    const pem = await tpm.openssl('pkey', ...provider, '-in', path, '-pubout');
    const der = readFileSync(join(tpm.dir, 'made'));
    expect(verify('sha256', Buffer.from('hello'), pem, der)).toBe(true);
  }

  await daemon.start('--config', config);
  await ctl('verify', '--signature', file('raw', await ctl('sign')));
  await ctl('keys', 'revoke', kid ?? '', '--yes');
  const revoked = await daemon.agentctl(['keys', 'import', theirs]);
  expect(revoked.code).toBe(1);
  expect(revoked.err).toContain(`key ${kid} was revoked, and does not come back`);
  expect(await listed()).toHaveLength(3);
});

test('a key with a password is imported with it, and what is no key of this keyring is refused', async () => {
  await tpm.openssl(
    'genpkey',
    ...['-provider', 'tpm2', '-provider', 'default', '-algorithm', 'EC'],
    ...['-pkeyopt', 'group:P-256', '-pkeyopt', 'user-auth:abcd', '-out', 'theirs.pem'],
  );
  const theirs = join(tpm.dir, 'theirs.pem');
  await daemon.start('--config', configure('algorithm = "es256"\n'));
  const none = await daemon.agentctl(['keys', 'import', file('none.pem', 'hello\n')]);
  expect(none.err).toContain('it is no PEM with the label TSS2 PRIVATE KEY');
  const without = await daemon.agentctl(['keys', 'import', theirs]);
  expect(without.code).toBe(1);
  expect(without.err).toContain('the key has a password: give it (--password-file FILE)');
  await ctl('keys', 'import', theirs, '--password-file', file('password', 'abcd\n'));
  await ctl('keys', 'rotate');
  await ctl('verify', '--signature', file('raw', await ctl('sign')));
  expect((await listed()).map(({ state }) => state).sort()).toEqual(['active', 'grace']);
});

test('keyrings with other keys take none from a key file, and say why', async () => {
  const theirs = await keyOfOpenssl();
  await daemon.start(
    '--config',
    configure('algorithm = "ed25519"\n[keyrings.file]\nbackend = "file"\n'),
  );
  const seeds = await daemon.agentctl(['keys', 'import', theirs]);
  expect(seeds.code).toBe(1);
  expect(seeds.err).toContain('a keyring with algorithm = "es256" takes it');
  const kept = await daemon.agentctl(['--keyring', 'file', 'keys', 'import', theirs]);
  expect(kept.err).toContain('a key cannot be imported: ');
  const ofFile = ['--keyring', 'file', 'keys'];
  const kid = /^[0-9a-f]{8}/m.exec(await ctl(...ofFile, 'list'))?.[0] ?? '';
  const attested = await daemon.agentctl([...ofFile, 'attest', kid, '--nonce', 'AAAAAAAAAAA']);
  expect(attested.err).toContain(
    'cannot be attested: it is in a file, and nothing vouches for that',
  );
  expect(await listed()).toHaveLength(1);
});

test('a key is attested by the agent, and that is checked without it', async () => {
  await daemon.start('--config', configure('algorithm = "es256"\n'));
  const { keys } = JSON.parse(await ctl('--json', 'keys', 'list')) as {
    keys: { kid: string; public_key_b64: string }[];
  };
  const { kid = '', public_key_b64 = '' } = keys[0] ?? {};
  const nonce = randomBytes(16).toString('base64url');
  const path = file('attestation.json', await ctl('keys', 'attest', kid, '--nonce', nonce));
  const short = await daemon.agentctl(['keys', 'attest', kid, '--nonce', 'AAAA']);
  expect(short.err).toContain('must be 8 to 32 bytes');
  await daemon.stop();
  const check = (...args: string[]): Promise<Ended> =>
    daemon.agentctl(['verify-attestation', path, ...args]);
  const fresh = await check('--nonce', nonce, '--public-key', public_key_b64);
  expect(fresh.err).toBe('');
  expect(fresh.out).toContain(`key ${kid} was made in the TPM of the attestation key`);
  expect(fresh.out).toContain('not proved: that this attestation key is of a TPM');
  const name = /^attestation key: (\w+)$/m.exec(fresh.out)?.[1] ?? '';
  const known = await check('--nonce', nonce, '--attestation-key', name);
  expect(known.out).toContain('that is the one that was asked for');
  expect(known.out).not.toContain('not proved');
  const stale = await check('--nonce', randomBytes(16).toString('base64url'));
  expect(stale.code).toBe(5);
  expect(stale.err).toContain('the attestation does not hold: it was made for another nonce');
  const other = await check(
    '--attestation-key',
    name.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
  );
  expect(other.code).toBe(5);
});

describe('the configuration of a TPM', () => {
  test.each([
    ['device = "/dev/tpm0"', /device: .*without a resource manager.*Take \/dev\/tpmrm0/],
    ['device = "tpm0"', /device: .*is neither the path of a device/],
    ['pcrs = [24]', /pcrs/],
    ['pcrs = [7, 7]', /pcrs: has a register twice/],
    ['pin-source = "1234"', /pin-source: must be file:/],
    ['recovery = "AGE-SECRET-KEY-1QQ"', /recovery: must be an age recipient/],
    ['uri = "pkcs11:token=x"', /only a pkcs11 keyring has a URI/],
    [
      'require = "hardware"',
      /would have protection software, and the configuration requires hardware/,
    ],
  ])('with %s is refused, and says why', async (line, reason) => {
    const lines = line.startsWith('device') ? line : `device = "${tpm.device}"\n${line}`;
    const config = daemon.config(
      `[keyrings.default]\nbackend = "tpm"\nalgorithm = "es256"\n${lines}\n`,
    );
    const refused = await daemon.refusedStart('--config', config);
    expect(refused.code).toBe(line.startsWith('require') ? 4 : 2);
    expect(refused.err).toMatch(reason);
  });

  test('is looked at by doctor', async () => {
    const config = configure('algorithm = "es256"\n');
    const { out } = await offline(config, 'doctor');
    expect(out).toMatch(/warning +default: TPM +IBM SW TPM, firmware \S+: an emulator/);
    expect(out).toMatch(/ok +default: TPM +no wrong PINs are counted/);
    await daemon.start('--config', config);
    await daemon.stop();
    const after = await offline(config, 'doctor');
    expect(after.out).toMatch(/warning +default: keys +1 key in \S+, without a recovery recipient/);
    expect(after.out).toContain('0 failures');
  });

  test('of a TPM that is away is tried again where the keyring is optional', async () => {
    await tpm.stop();
    const refused = await daemon.refusedStart('--config', configure('algorithm = "es256"\n'));
    expect(refused.code).toBe(4);
    expect(refused.err).toContain('is it running?');
  });
});
