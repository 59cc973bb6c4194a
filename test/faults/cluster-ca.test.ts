import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { methods } from '../../src/request/methods/methods.ts';
import { Daemon, type Ended } from '../support/daemon.ts';
import { FaultModule } from '../support/fault-module.ts';
import { childrenOf, until } from '../support/faulty-agent.ts';
import { LineClient } from '../support/line-client.ts';
import { methodParams } from '../support/method-params.ts';
import { OtherUser } from '../support/other-user.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let token: SoftHsmToken;
let module: FaultModule;
let daemon: Daemon;

beforeEach(async () => {
  token = await makeToken();
  module = await FaultModule.make(token);
  daemon = new Daemon(token.environment);
});
afterEach(async () => {
  await daemon.remove();
  await module.remove();
  await token.remove();
});

/** The CA in the token; the keyring `default` in a file, or in the same token. */
function configuration(uri = module.uri, { inToken = false, more = '' } = {}): string {
  const keyring = inToken ? `backend = "pkcs11"\nuri = "${uri}"\n` : '';
  const ca = `domain = "prod.example"\nca_backend = "pkcs11"\nca_uri = "${uri}"\n`;
  return daemon.config(`${more}[keyrings.default]\n${keyring}[cluster]\n${ca}`);
}
const start = (config: string): Promise<Daemon> => daemon.start('--config', config);
const show = (): Promise<Ended> => daemon.agentctl(['--json', 'ca', 'show']);
const sign = (): Promise<Ended> => daemon.agentctl(['sign'], 'x');
const unlock = (keyring: string, pin: string): Promise<Ended> =>
  daemon.agentctl(['unlock', '--keyring', keyring, '--pin-file', '-'], pin);

const params: Readonly<Record<string, object>> = {
  ...methodParams,
  revoke: { kid: '00000000' },
  join_token_mint: { ...methodParams['join_token_mint'], federated: true },
  apikey_update: { id: 'app', scope: 'admin' },
  apikey_revoke: { id: 'app' },
};

/** Calls every method, on every keyring that it could be about; answers those that were done. */
async function walk(client: LineClient, but: readonly string[] = []): Promise<Set<string>> {
  const done = new Set<string>();
  for (const [name, { reach }] of methods) {
    if (but.includes(name)) continue;
    const keyrings = reach === 'keyring' ? ['default', 'cluster-ca'] : [undefined];
    for (const keyring of keyrings) {
      const given = { ...params[name], ...(keyring === undefined ? {} : { keyring }) };
      const { error } = await client.call(name, given);
      expect(error?.data.kind, `${name}: are its params in order?`).not.toBe('invalid_params');
      if (error === undefined) done.add(keyring === 'cluster-ca' ? `${name} of the CA` : name);
    }
  }
  return done;
}

/** Another user can be had only by root, which is who CI is. */
const isRoot = process.getuid?.() === 0;

test.runIf(isRoot)('no method lets an app credential have the CA sign', async () => {
  const user = new OtherUser(`app${process.pid}`);
  const clients: LineClient[] = [];
  try {
    chmodSync(daemon.folder, 0o711);
    const more = `[socket]\nmode = "0666"\n[access]\napps = ["${user.name}"]\n`;
    await start(configuration(module.uri, { more }));
    const root = await LineClient.open(daemon.socket);
    clients.push(root);
    const secretOf = async (scope: string): Promise<unknown> =>
      (await root.call('apikey_create', { id: scope, scope })).result?.['secret'];
    const secrets = [await secretOf('app'), await secretOf('reader')];
    const before = module.counts().C_Sign;
    expect(before).toBeGreaterThan(0); // its proof, and the first certificate

    const byUser = user.connect(daemon.socket);
    clients.push(byUser);
    const done = await walk(byUser);
    const can = ['sign', 'sign_batch', 'ca_show', 'ca_verify', 'ca_bundle', 'join_token_mint'];
    for (const name of can) {
      expect([...done]).toContain(name);
    }
    expect([...done].filter((name) => name.endsWith('of the CA'))).toEqual([]);
    expect([...done]).not.toContain('ca_issue');
    for (const api_key of secrets) {
      const client = await LineClient.open(daemon.socket);
      clients.push(client);
      expect((await client.call('authenticate', { api_key })).error).toBeUndefined();
      expect([...(await walk(client, ['authenticate']))]).not.toContain('ca_issue');
    }
    expect(module.counts().C_Sign).toBe(before);

    // The count is of the CA: an admin has it sign.
    expect((await root.call('ca_issue')).error).toBeUndefined();
    expect(module.counts().C_Sign).toBe(before + 1);
  } finally {
    for (const client of clients) client.close();
    user.remove();
  }
});

test('a wrong PIN is tried once for a keyring and the CA on one token', async () => {
  const right = readFileSync(token.pinFile, 'utf8').trim();
  const pinFile = join(daemon.folder, 'pin');
  writeFileSync(pinFile, 'wrong-1234', { mode: 0o600 });
  const uri = module.uri.replace(/pin-source=[^&"]*/, `pin-source=file:${pinFile}`);
  await start(configuration(uri, { inToken: true }));
  expect(module.counts()['wrong logins']).toBe(1);
  expect((await sign()).err).toContain('agentctl unlock --keyring default');
  expect((await show()).err).toContain('agentctl unlock --keyring cluster-ca');

  expect(await unlock('default', right)).toMatchObject({ code: 0 });
  expect((await sign()).code).toBe(0);
  expect((await show()).code).toBe(1);
  expect(await unlock('cluster-ca', 'wrong-1234')).toMatchObject({ code: 1 });
  expect(await unlock('cluster-ca', right)).toMatchObject({
    code: 0,
    out: 'keyring cluster-ca is unlocked\n',
  });
  const { out } = await show();
  expect(JSON.parse(out)).toMatchObject({
    backend: 'pkcs11',
    certificate: { cluster_domain: 'prod.example' },
  });
  expect(childrenOf(daemon.pid)).toHaveLength(1); // one process for the module

  expect(await daemon.agentctl(['lock', '--keyring', 'cluster-ca'])).toMatchObject({ code: 0 });
  expect((await show()).err).toContain('agentctl unlock --keyring cluster-ca');
  expect((await daemon.agentctl(['status'])).out).toMatch(
    /cluster prod\.example\n.*\n +health +locked/,
  );
  expect((await sign()).code).toBe(0);
  expect((await daemon.agentctl(['keys', 'rotate'])).code).toBe(0);
  expect((await unlock('cluster-ca', right)).code).toBe(0);
  const { active_kid } = (JSON.parse((await show()).out) as { certificate: { active_kid: string } })
    .certificate;
  const status = JSON.parse((await daemon.agentctl(['--json', 'status'])).out) as {
    keyrings: { active_kid: string }[];
  };
  expect(active_kid).toBe(status.keyrings[0]?.active_kid);
});

test('a CA whose token is away stops nothing, and is opened by itself', async () => {
  module.script('token removed');
  await start(configuration());
  expect((await sign()).code).toBe(0);
  expect((await daemon.agentctl(['keys', 'rotate'])).code).toBe(0);
  const refused = await show();
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('"kind":"backend_unavailable"');
  module.clear();
  await until('the CA is open', async () => (await show()).code === 0);
  await until('the certificate', async () => {
    const { certificate } = JSON.parse((await show()).out) as { certificate: unknown };
    return certificate !== null;
  });
});

test('doctor looks at the token of the CA, without a login', async () => {
  const config = configuration();
  const before = module.counts().C_Login;
  const { out } = await daemon.agentctl([
    'doctor',
    ...['--config', config, '--state-dir', daemon.stateDir],
  ]);
  expect(out).toMatch(/^ok +cluster-ca: token +"test" .* is there$/m);
  expect(out).toMatch(/^ok +cluster-ca: PIN +/m);
  expect(module.counts().C_Login).toBe(before);
});
