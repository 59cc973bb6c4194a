import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Daemon, run } from '../support/daemon.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let token: SoftHsmToken;
let daemon: Daemon;
let config: string;
beforeEach(async () => {
  token = await makeToken();
  daemon = new Daemon(token.environment);
  config = daemon.config(`[keyrings.default]\nbackend = "pkcs11"\nuri = "${token.uri}"\n`);
});
afterEach(async () => {
  await daemon.remove();
  await token.remove();
});

const keyrings = (): string => join(daemon.stateDir, 'keyrings');
const sidecar = (): string => join(keyrings(), 'default.json');
const secondCopy = (): string => join(daemon.stateDir, 'copies', 'keyrings', 'default.json');
const start = () => daemon.start('--config', config);
const refusedStart = () => daemon.refusedStart('--config', config);
const reconcile = (...args: string[]) =>
  daemon.agentctl(['reconcile', '--config', config, '--state-dir', daemon.stateDir, ...args]);

interface Document {
  readonly verdict: string;
  readonly active_kid: string | null;
  readonly applied: boolean;
  readonly seal: {
    readonly found: string;
    readonly counter: number | null;
    readonly token_counter: number | null;
    readonly accepted: boolean;
  };
  readonly kept_copy: string | null;
  readonly keys: readonly {
    readonly kid: string | null;
    readonly object_id: string;
    readonly recorded_as: string | null;
    readonly in_token: string;
    readonly finding: string;
    readonly becomes: string | null;
  }[];
}
async function reconcileJson(
  ...args: string[]
): Promise<{ code: number | null; document: Document }> {
  const { code, out } = await reconcile('--json', ...args);
  expect(out).toMatch(/^\{.*\}\n$/);
  return { code, document: JSON.parse(out) as Document };
}

async function sign(...flags: string[]): Promise<string> {
  const { code, out, err } = await daemon.agentctl(['sign', '--format', 'json', ...flags], 'hello');
  expect(err).toBe('');
  expect(code).toBe(0);
  return (JSON.parse(out) as { kid: string }).kid;
}
async function listKeys(): Promise<Record<string, string>> {
  const { out } = await daemon.agentctl(['--json', 'keys', 'list']);
  const { keys } = JSON.parse(out) as { keys: { kid: string; state: string }[] };
  return Object.fromEntries(keys.map(({ kid, state }) => [kid, state]));
}

/** A program that is not ours, on the same token. */
async function pkcs11Tool(...args: string[]): Promise<string> {
  const access = ['--module', token.modulePath, '--token-label', 'test', '--login', '--pin'];
  const environment = {
    ...token.environment,
    TEST_PIN: readFileSync(token.pinFile, 'utf8').trim(),
  };
  const ended = await run('pkcs11-tool', [...access, 'env:TEST_PIN', ...args], '', environment);
  expect(ended.code, ended.err).toBe(0);
  return ended.out;
}
const objectsInToken = async (): Promise<string> => {
  const lines = (await pkcs11Tool('--list-objects')).split('\n');
  return lines
    .filter((line) => /label:|ID:/.test(line))
    .sort()
    .join('\n');
};
async function destroy(objectId: string, ...types: string[]): Promise<void> {
  for (const type of types) await pkcs11Tool('--delete-object', '--type', type, '--id', objectId);
}

test('a lost sidecar: the agent refuses and names the command, which takes its second copy', async () => {
  await start();
  const first = await sign();
  await daemon.agentctl(['keys', 'rotate', '--grace', '24h']);
  const second = await sign();
  await daemon.agentctl(['keys', 'prepare']);
  await daemon.agentctl(['keys', 'revoke', first, '--yes']);
  const before = await listKeys();
  await daemon.stop();
  const lost = JSON.parse(readFileSync(sidecar(), 'utf8')) as object;
  rmSync(sidecar());
  expect((await refusedStart()).err).toContain('agentctl reconcile --keyring default');
  const dry = await reconcile();
  expect(dry).toMatchObject({ code: 1, err: '' });
  expect(dry.out).toMatch(/second copy +\S+copies\/keyrings\/default\.json/);
  expect(dry.out).toMatch(/nothing was changed; --apply writes this\n$/);
  expect((await reconcile('--apply')).code).toBe(0);
  const rebuilt = JSON.parse(readFileSync(sidecar(), 'utf8')) as object;
  expect({ ...rebuilt, seal: null }).toEqual({ ...lost, seal: null });
  await start();
  expect(await sign()).toBe(second);
  expect(await listKeys()).toEqual(before);
});

test('a sidecar that is lost with its second copy is rebuilt from the token', async () => {
  const begun = Date.now();
  await start();
  const kid = await sign();
  await daemon.stop();
  const before = await objectsInToken();
  const lost = JSON.parse(readFileSync(sidecar(), 'utf8')) as { keys: unknown };
  rmSync(sidecar());
  rmSync(secondCopy());

  const refused = await refusedStart();
  expect(refused.code).toBe(4);
  expect(refused.err).toContain('agentctl reconcile --keyring default');

  const dry = await reconcile();
  expect(dry).toMatchObject({ code: 1, err: '' });
  expect(dry.out).toMatch(new RegExp(`^${kid} .* whole +is recorded as the active key$`, 'm'));
  expect(dry.out).toMatch(/nothing was changed; --apply writes this\n$/);
  // Each login is written down before it is made, with no PIN in it.
  expect(readdirSync(keyrings())).toEqual(['default.pin-refused.json']);
  expect((await refusedStart()).code).toBe(4);

  const applied = await reconcile('--apply');
  expect(applied).toMatchObject({ code: 0, err: '' });
  expect(statSync(sidecar()).mode & 0o777).toBe(0o600);
  const rebuilt = readFileSync(sidecar(), 'utf8');
  const { keys: records } = JSON.parse(rebuilt) as { keys: { created_at: string }[] };
  expect(records).toMatchObject(
    // The id was made some milliseconds before the record.
    (lost.keys as object[]).map((key) => ({ ...key, created_at: expect.any(String) as string })),
  );
  const createdAt = Date.parse(records[0]?.created_at ?? '');
  expect(createdAt).toBeGreaterThanOrEqual(begun);
  expect(createdAt).toBeLessThanOrEqual(Date.now());

  for (const flags of [['--apply'], []]) {
    const again = await reconcile(...flags);
    expect(again).toMatchObject({ code: 0, err: '' });
    expect(again.out).toMatch(/sidecar and token fit: nothing was changed\n$/);
  }
  expect(readFileSync(sidecar(), 'utf8')).toBe(rebuilt);
  expect(readdirSync(keyrings())).toEqual(['default.json', 'default.pin-refused.json']);

  await start();
  expect(await sign()).toBe(kid);
  await daemon.stop();
  expect(await objectsInToken()).toBe(before);
});

test('a truncated sidecar without a second copy: the key that was active is active, the others are left over, the old file is kept', async () => {
  await start();
  const first = await sign();
  await daemon.agentctl(['keys', 'rotate', '--grace', '24h']);
  const second = await sign();
  await daemon.stop();
  const whole = readFileSync(sidecar());
  writeFileSync(sidecar(), whole.subarray(0, -20));
  writeFileSync(secondCopy(), '');
  expect((await refusedStart()).err).toContain('agentctl reconcile --keyring default');

  const dry = await reconcile();
  expect(dry.code).toBe(1);
  expect(dry.out).toContain('broken: it is not JSON');
  expect(dry.out).toMatch(/graces and revocations are lost/);
  const { code, document } = await reconcileJson('--apply');
  expect(code).toBe(0);
  expect(document).toMatchObject({ verdict: 'repair', active_kid: second, applied: true });
  expect(document.kept_copy).toMatch(/default\.json\.before-reconcile-\d{8}T\d{6}Z$/);
  expect(readFileSync(document.kept_copy ?? '')).toEqual(whole.subarray(0, -20));
  expect(statSync(document.kept_copy ?? '').mode & 0o777).toBe(0o600);

  await start();
  expect(await sign()).toBe(second);
  expect(await listKeys()).toEqual({ [first]: 'retired', [second]: 'active' });
  expect((await daemon.agentctl(['sign', '--kid', first], 'x')).code).toBe(1);
  await daemon.stop();

  // The left-over key comes back only by name; what was active stays valid meanwhile.
  expect((await reconcileJson('--active', first, '--apply')).code).toBe(0);
  await start();
  expect(await sign()).toBe(first);
  expect(await listKeys()).toEqual({ [first]: 'active', [second]: 'grace' });
});

test('a lost state dir: nothing is made before --apply', async () => {
  await start();
  const kid = await sign();
  await daemon.stop();
  rmSync(daemon.stateDir, { recursive: true });
  expect((await reconcile()).code).toBe(1);
  expect(existsSync(daemon.stateDir)).toBe(false);
  expect((await reconcile('--apply')).code).toBe(0);
  await start();
  expect(await sign()).toBe(kid);
});

describe('keys that are gone from the token', () => {
  test('one in grace: its record goes with --apply', async () => {
    await start();
    const first = await sign();
    await daemon.agentctl(['keys', 'rotate', '--grace', '24h']);
    const second = await sign();
    await daemon.stop();
    const { document } = await reconcileJson();
    expect(document.verdict).toBe('fits');
    await destroy(document.keys[0]?.object_id ?? '', 'privkey', 'pubkey');

    expect((await refusedStart()).err).toContain(`key ${first}`);
    const dry = await reconcile();
    expect(dry.code).toBe(1);
    expect(dry.out).toMatch(new RegExp(`^${first} .* grace +absent +GONE`, 'm'));
    expect(dry.out).toContain(`Gone from the token: ${first}.`);
    expect((await reconcile('--apply')).code).toBe(0);
    await start();
    expect(await listKeys()).toEqual({ [second]: 'active' });
  });

  test('the active one: another has to be named', async () => {
    await start();
    const first = await sign();
    await daemon.agentctl(['keys', 'rotate', '--grace', '24h']);
    const second = await sign();
    await daemon.stop();
    const before = readFileSync(sidecar(), 'utf8');
    const { keys } = (await reconcileJson()).document;
    const objectId = keys.find(({ kid }) => kid === second)?.object_id ?? '';
    await destroy(objectId, 'privkey'); // its public half stays
    const token = await objectsInToken();

    const refused = await reconcile('--apply');
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(new RegExp(`${second}, is not in the token.*--active.*${first}`));
    expect(await reconcile('--active', second, '--apply')).toMatchObject({ code: 1 });
    expect(readFileSync(sidecar(), 'utf8')).toBe(before);

    expect((await reconcile('--active', first, '--apply')).code).toBe(0);
    const { code, document } = await reconcileJson();
    expect(code).toBe(0);
    expect(document.keys).toContainEqual({
      kid: second,
      object_id: objectId,
      recorded_as: null,
      in_token: 'public_only',
      finding: 'half_made',
      becomes: null,
    });
    await start();
    expect(await sign()).toBe(first);
    await daemon.stop();
    expect(await objectsInToken()).toBe(token);
  });

  test('all of them: nothing is written, and the way out is said', async () => {
    await start();
    await daemon.stop();
    const before = readFileSync(sidecar(), 'utf8');
    const { document } = await reconcileJson();
    await destroy(document.keys[0]?.object_id ?? '', 'privkey', 'pubkey');
    const refused = await reconcile('--apply');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`move ${sidecar()} away`);
    expect(readFileSync(sidecar(), 'utf8')).toBe(before);
    expect(refused.err).toContain('agentctl reconcile --keyring default --forget keyring --apply');
    rmSync(sidecar());
    expect((await refusedStart()).err).toContain('--forget keyring');
    const dry = await reconcile('--forget', 'keyring');
    expect(dry.code).toBe(1);
    expect(dry.out).toContain('would be given up: keyring default in');
    const forgotten = await reconcile('--forget', 'keyring', '--apply');
    expect(forgotten).toMatchObject({ code: 0, err: '' });
    expect((await reconcile()).code).toBe(0);
    await start();
    await sign();
  });
});

describe('records that are not the newest', () => {
  const text = (): string => readFileSync(sidecar(), 'utf8');
  const counter = (): number => (JSON.parse(text()) as { seal: { counter: number } }).seal.counter;
  const accept = 'agentctl reconcile --keyring default --accept-records --apply';

  /** Answers a copy from before a rotation, and the kids of before and after. */
  async function rotated(): Promise<{ copy: string; first: string; second: string }> {
    await start();
    const first = await sign();
    const copy = text();
    await daemon.agentctl(['keys', 'rotate', '--grace', '24h']);
    const second = await sign();
    return { copy, first, second };
  }

  test('an older copy: refused, until it is accepted knowingly or the newest is put back', async () => {
    const { copy, first, second } = await rotated();
    await daemon.stop();
    const newest = text();
    const highest = counter();
    writeFileSync(sidecar(), copy);

    const refused = await refusedStart();
    expect(refused.code).toBe(4);
    expect(refused.err).toContain(`the token says ${highest}`);
    expect(refused.err).toContain(accept);

    const dry = await reconcile();
    expect(dry.code).toBe(1);
    expect(dry.out).toContain(
      `is an older copy: its counter is ${counter()}, the token says ${highest}`,
    );
    expect(dry.out).not.toContain('written');
    const withoutAcceptance = await reconcile('--apply');
    expect(withoutAcceptance.code).toBe(1);
    expect(withoutAcceptance.err).toContain('an older copy');
    expect(withoutAcceptance.err).toContain(accept);
    expect(text()).toBe(copy);

    writeFileSync(sidecar(), newest);
    await start();
    expect(await sign()).toBe(second);
    await daemon.stop();
    const last = counter();

    writeFileSync(sidecar(), copy);
    const dryAccepted = await reconcileJson('--accept-records');
    expect(dryAccepted.code).toBe(1);
    expect(dryAccepted.document.seal).toMatchObject({ found: 'older', accepted: true });
    expect(text()).toBe(copy);
    const { code, document } = await reconcileJson('--accept-records', '--apply');
    expect(code).toBe(0);
    expect(document.applied).toBe(true);
    expect(readFileSync(document.kept_copy ?? '', 'utf8')).toBe(copy);
    expect(counter()).toBeGreaterThan(last);
    await start();
    expect(await sign()).toBe(first);
    // The key that was acknowledged after the copy was made is still there, and valid no more.
    expect(await listKeys()).toEqual({ [first]: 'active', [second]: 'retired' });
  });

  test('an older copy from before a rotation and a revocation: each command leads on', async () => {
    const { copy, first, second } = await rotated();
    expect((await daemon.agentctl(['keys', 'revoke', first, '--yes'])).code).toBe(0);
    await daemon.stop();
    writeFileSync(sidecar(), copy);
    const where = `--config ${config} --state-dir ${daemon.stateDir}`;
    const refused = await reconcile('--reset-clock', '--apply');
    expect(refused.err).toContain(
      `agentctl reconcile --keyring default --reset-clock --accept-records --apply ${where}`,
    );
    const next = await reconcile('--accept-records', '--apply');
    expect(next.code).toBe(1);
    const command = /agentctl (reconcile .*)$/m.exec(next.err)?.[1] ?? '';
    expect(command).toBe(
      `reconcile --keyring default --active ${second} --accept-records --apply ${where}`,
    );
    expect((await daemon.agentctl(command.split(' '))).code).toBe(0);
    await start();
    expect(await sign()).toBe(second);
  });

  test('an older copy that announces a key which was acknowledged since: that key stays', async () => {
    const { copy, second } = await rotated();
    await daemon.stop();
    const { keys } = (await reconcileJson()).document;
    const objectId = keys.find(({ kid }) => kid === second)?.object_id ?? '';
    const step = { step: 'generate', object_id: objectId, since: '2026-05-14T17:55:00.000Z' };
    writeFileSync(sidecar(), JSON.stringify({ ...(JSON.parse(copy) as object), pending: [step] }));
    expect((await reconcileJson()).document.seal).toMatchObject({ found: 'altered' });
    expect((await reconcile('--accept-records', '--apply')).code).toBe(0);
    await start();
    expect(await listKeys()).toMatchObject({ [second]: 'retired' });
  });

  test('records without a seal, or with one that the token does not know', async () => {
    await start();
    const kid = await sign();
    await daemon.stop();
    const sealed = text();
    const content = JSON.parse(sealed) as { seal?: unknown };
    delete content.seal;
    expect((await reconcileJson()).document.seal).toMatchObject({
      found: 'newest',
      counter: counter(),
      token_counter: counter(),
    });
    writeFileSync(sidecar(), JSON.stringify(content));
    expect((await refusedStart()).err).toContain('has no seal');
    expect((await reconcileJson()).document.seal).toMatchObject({ found: 'unsealed' });
    expect((await reconcile('--accept-records', '--apply')).code).toBe(0);
    await start();
    expect(await sign()).toBe(kid);
    await daemon.stop();

    await pkcs11Tool('--delete-object', '--type', 'data', '--label', 'signing-agent/default');
    expect((await refusedStart()).err).toContain('the token has none for it');
    expect((await reconcileJson()).document.seal).toMatchObject({ found: 'token_without' });
    expect((await reconcile('--accept-records', '--apply')).code).toBe(0);
    await start();
    expect(await sign()).toBe(kid);
    const { out } = await daemon.agentctl(['--json', 'status']);
    expect(out).toContain('"rollback_protection":"token"');
    expect((await daemon.agentctl(['status'])).out).toContain('the token keeps a seal');
  });

  test('a clock that once ran ahead: --reset-clock drops what it left', async () => {
    await start();
    const kid = await sign();
    await daemon.stop();
    const ahead = '2099-01-01T00:00:00Z';
    const activated = { kid, at: ahead };
    const document = { ...(JSON.parse(text()) as object), latest_time: ahead, activated };
    writeFileSync(sidecar(), JSON.stringify(document));
    expect((await reconcile('--accept-records', '--apply')).code).toBe(0);
    expect((await reconcileJson()).document.verdict).toBe('fits');

    const dry = await reconcile('--reset-clock');
    expect(dry.code).toBe(1);
    expect(dry.out).toContain(`The latest time of the records, ${ahead}, is dropped`);
    expect(text()).toContain(ahead);
    expect((await reconcile('--reset-clock', '--apply')).code).toBe(0);
    expect(text()).not.toContain('latest_time');
    expect(text()).not.toContain('2099');
    expect((await reconcile()).out).toMatch(/sidecar and token fit: nothing was changed\n$/);
    await start();
    expect(await sign()).toBe(kid);
  });
});

describe('keys that are not ours', () => {
  const make = (label: string, id: string) =>
    pkcs11Tool('--keypairgen', '--key-type', 'EC:edwards25519', '--label', label, '--id', id);

  test('a foreign key is neither listed nor touched', async () => {
    await start();
    const kid = await sign();
    await daemon.stop();
    await make('foreign', 'f0');
    const before = await objectsInToken();
    rmSync(sidecar());
    const { document } = await reconcileJson('--apply');
    expect(document.keys.map((key) => key.kid)).toEqual([kid]);
    expect(await objectsInToken()).toBe(before);
  });

  test('one with our label that cannot prove itself does not become active', async () => {
    await start();
    const kid = await sign();
    await daemon.stop();
    // pkcs11-tool asks for less than the agent does: such a key is refused by its attributes.
    await pkcs11Tool(
      ...['--keypairgen', '--key-type', 'EC:edwards25519', '--extractable'],
      ...['--label', 'signing-agent/default', '--id', 'f1'],
    );
    const { document } = await reconcileJson();
    const stranger = document.keys.find((key) => key.object_id === 'f1');
    expect(stranger).toMatchObject({ finding: 'unrecorded', becomes: 'retired' });
    const before = readFileSync(sidecar(), 'utf8');
    const refused = await reconcile('--active', stranger?.kid ?? '', '--apply');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`key ${stranger?.kid ?? ''} does not prove itself`);
    expect(readFileSync(sidecar(), 'utf8')).toBe(before);

    expect((await reconcile('--apply')).code).toBe(0);
    await start();
    expect(await sign()).toBe(kid);
    expect((await daemon.agentctl(['sign', '--kid', stranger?.kid ?? ''], 'x')).code).toBe(1);
  });
});

describe('refusals', () => {
  test('a running agent', async () => {
    await start();
    for (const flags of [[], ['--apply']]) {
      const refused = await reconcile(...flags);
      expect(refused).toMatchObject({ code: 1, out: '' });
      expect(refused.err).toContain(`process ${daemon.pid} is running an agent`);
      expect(refused.err).toContain('stop it first');
    }
    await sign();
  });

  test('a keyring that has no token, or is not there', async () => {
    const args = ['reconcile', '--state-dir', daemon.stateDir];
    const file = await daemon.agentctl([...args, '--json']);
    expect(file.code).toBe(1);
    expect(file.err).toContain('file keyring');
    expect(file.err).toContain('"kind":"not_supported"');
    expect((await daemon.agentctl([...args, '--keyring', 'nope'])).code).toBe(1);
    expect(existsSync(daemon.stateDir)).toBe(false);
  });

  test('a command line or a configuration that cannot be used', async () => {
    expect((await reconcile('--active', 'no-kid')).code).toBe(2);
    expect((await reconcile('--applied')).code).toBe(2);
    writeFileSync(config, 'surprise = 1\n');
    const refused = await reconcile();
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('surprise');
  });

  test('a sidecar that others may read is not broken, it is refused', async () => {
    await start();
    await daemon.stop();
    chmodSync(sidecar(), 0o644);
    const refused = await reconcile('--apply');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('chmod 600');
  });
});
