import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodePublicKey, decodeSignature } from '../../src/formats/ssh/public-key.ts';
import { decodeSshsig, encodeSshsig } from '../../src/formats/ssh/sshsig.ts';
import { agentctl, type Session, type Surroundings } from '../support/cli-session.ts';
import { run as program, type Ended } from '../support/daemon.ts';
import { InProcessAgent } from '../support/in-process-agent.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

let token: SoftHsmToken;
let agent: InProcessAgent;
const path = (name: string): string => join(agent.folder, name);
const put = (name: string, content: string | Buffer): string => {
  writeFileSync(path(name), content);
  return path(name);
};
const text = (name: string): string => readFileSync(path(name), 'utf8');

beforeAll(async () => {
  token = await makeToken('prod');
  token.use();
  agent = await new InProcessAgent(
    `[keyrings.default]\nbackend = "file"\n
     [keyrings.p256]\nbackend = "pkcs11"\nuri = "${token.uri}"\nalgorithm = "es256"\n`,
  ).start();
  put('message', 'a message');
  await keygen('-q -t ed25519 -N "" -f ed -C ann');
  await keygen('-q -t ecdsa -b 256 -N "" -f ec -C ann');
  await keygen('-q -t rsa -b 2048 -N "" -f rsa -C ann');
  put('allowed', `ann@example.org ${text('ed.pub')}ann@example.org ${text('ec.pub')}`);
});
afterAll(async () => {
  await agent.remove();
  await token.remove();
});

/** The stock program, in the test's folder; `""` is an empty word. */
function keygen(line: string, stdin = ''): Promise<Ended> {
  const words = line.split(' ').map((word) => (word === '""' ? '' : word));
  return program('sh', ['-c', 'cd "$0" && exec ssh-keygen "$@"', agent.folder, ...words], stdin);
}
function run(line: string, surroundings: Surroundings = {}): Promise<Session> {
  const words = line.split(' ').map((word) => word.replace(/^@/, `${agent.folder}/`));
  return agentctl(['--socket', agent.socket, ...words], surroundings);
}
/** Asks no agent: there is none at this socket. */
const offline = (line: string, surroundings: Surroundings = {}): Promise<Session> =>
  run(`--socket /none ${line}`, surroundings);

async function activeKid(keyring: string): Promise<string> {
  const { out } = await run(`--json --keyring ${keyring} keys list`);
  const { keys } = JSON.parse(out) as { keys: { kid: string; state: string }[] };
  return keys.find(({ state }) => state === 'active')?.kid ?? 'none';
}
async function theirs(name: string, key = 'ed', options = '-n file'): Promise<string> {
  await program('rm', ['-f', path(`${name}.sig`)]);
  await keygen(`-Y sign -f ${key} ${options} ${name}`);
  return path(`${name}.sig`);
}

describe.each(['default', 'p256'])('sign --format sshsig with keyring %s', (keyring) => {
  it('makes what ssh-keygen verifies, for an allowed signer', async () => {
    const made = await run(`--keyring ${keyring} sign @message --format sshsig --out @ours.sig`);
    expect(made).toMatchObject({ code: 0, out: '', err: '' });
    const key = await run(
      `--keyring ${keyring} keys show ${await activeKid(keyring)} --format ssh`,
    );
    put('signers', `deploy ${key.out}`);
    const verify = '-Y verify -f signers -I deploy -n file -s ours.sig';
    const verified = await keygen(verify, 'a message');
    expect(verified.out).toMatch(/^Good "file" signature for deploy with (ED25519|ECDSA) key/);
    expect((await keygen(verify, 'another message')).code).not.toBe(0);
    expect((await keygen('-Y check-novalidate -n file -s ours.sig', 'a message')).code).toBe(0);
    expect(
      (await keygen('-Y verify -f signers -I deploy -n git -s ours.sig', 'a message')).code,
    ).toBe(255);
  });

  it('verifies its own: by the keyring, a key that is given, or allowed signers', async () => {
    const kid = await activeKid(keyring);
    put('ours.sig', (await run(`--keyring ${keyring} sign @message --format sshsig`)).out);
    const verify = 'verify @message --signature @ours.sig';
    expect(await run(`--keyring ${keyring} ${verify}`)).toMatchObject({
      code: 0,
      out: `valid: signed by ${kid} (keyring ${keyring})\n`,
    });
    expect((await run(`--keyring ${keyring} ${verify} --kid ${kid}`)).code).toBe(0);
    const other = keyring === 'default' ? 'p256' : 'default';
    const stranger = await run(`--keyring ${other} ${verify}`);
    expect(stranger.code).toBe(5);
    expect(stranger.out).toMatch(
      /^not valid: it was made by key .* \(SHA256:.*: no valid key of keyring/,
    );
    expect((await run(`--keyring ${keyring} ${verify} --kid 00000000`)).code).toBe(5);
    put('key.pub', (await run(`--keyring ${keyring} keys show ${kid} --format ssh`)).out);
    expect((await offline(`${verify} --public-key @key.pub`)).code).toBe(0);
    expect(await offline(`${verify} --public-key @ed.pub`)).toMatchObject({ code: 5 });
    put('signers', `*@example.org,!eve@example.org ${text('key.pub')}`);
    const by = (name: string): Promise<Session> =>
      offline(`${verify} --allowed-signers @signers --identity ${name}`);
    expect((await by('ann@example.org')).out).toBe(
      `valid: signed by ann@example.org with key ${kid} (${path('signers')}, line 1)\n`,
    );
    expect((await by('eve@example.org')).code).toBe(5);
  });

  it('signs for a namespace, from stdin, by a key that is named', async () => {
    const kid = await activeKid(keyring);
    const sign = `--keyring ${keyring} sign - --format sshsig --namespace git --kid ${kid}`;
    put('ours.sig', (await run(sign, { stdin: 'from a pipe' })).out);
    expect((await keygen('-Y check-novalidate -n git -s ours.sig', 'from a pipe')).code).toBe(0);
    const verify = `--keyring ${keyring} verify --signature @ours.sig`;
    expect((await run(`${verify} --namespace git`, { stdin: 'from a pipe' })).code).toBe(0);
    expect((await run(verify, { stdin: 'from a pipe' })).out).toBe(
      'not valid: it is for namespace git, and not for file (--namespace)\n',
    );
  });
});

describe('sign --format sshsig', () => {
  it.each(['ed', 'ec'])('writes what ssh-keygen writes with key %s, byte by byte', async (key) => {
    for (const options of ['-n file', '-n git -O hashalg=sha256']) {
      await theirs('message', key, options);
      const armored = text('message.sig');
      const signature = decodeSshsig(armored);
      const by = decodePublicKey(signature.publicKey);
      const made = decodeSignature(signature.signature);
      if (by === null || made === null) throw new Error(`not read: ${armored}`);
      expect(encodeSshsig(by, signature, made.raw)).toBe(armored);
    }
  });

  it('refuses options of others, an empty namespace, and a key that is not there', async () => {
    const refused: [string, number, RegExp][] = [
      ['sign @message --namespace git', 2, /--namespace goes with --format sshsig/],
      ['sign @message --format minisign --namespace git', 2, /--namespace goes with/],
      ['sign @message --format sshsig --trusted-comment x', 2, /--trusted-comment goes with/],
      ['sign @message --format sshsig --namespace=', 2, /must not be empty/],
      [
        'sign @message --format sshsig --kid 00000000',
        1,
        /no valid key 00000000 in keyring default/,
      ],
      ['sign @none --format sshsig', 2, /cannot read/],
      ['--json sign @message --format sshsig', 2, /give --out/],
    ];
    for (const [line, code, why] of refused) {
      const session = await run(line);
      expect(session, line).toMatchObject({ code, out: '' });
      expect(session.err, line).toMatch(why);
    }
    const { out } = await run('--json sign @message --format sshsig --out @ours.sig');
    expect(JSON.parse(out)).toMatchObject({ kid: await activeKid('default') });
  });
});

describe('keys of a keyring', () => {
  it('sign and verify as long as they are valid, for whoever may', async () => {
    await run('apikey create sign --scope app --out @app.key');
    await run('apikey create look --scope reader --out @reader.key');
    const kid = await activeKid('default');
    const signed = await run(
      '--api-key-file @app.key sign @message --format sshsig --out @old.sig',
    );
    expect(signed.code).toBe(0);
    const denied = await run('--api-key-file @reader.key sign @message --format sshsig');
    expect(denied).toMatchObject({ code: 4, out: '' });
    await run('keys rotate --grace 1h');
    const verify = '--api-key-file @reader.key verify @message --signature @old.sig';
    expect((await run(verify)).out).toBe(`valid: signed by ${kid} (keyring default)\n`);
    put('old.sig', (await run(`sign @message --format sshsig --kid ${kid}`)).out);
    expect((await run(verify)).code).toBe(0);
    await run(`keys revoke ${kid} --yes`);
    expect((await run(verify)).out).toContain('no valid key of keyring default');
    const revoked = await run(`sign @message --format sshsig --kid ${kid}`);
    expect(revoked).toMatchObject({ code: 1, out: '' });
  });
});

describe('verify of what ssh-keygen signed', () => {
  const allowed = '--allowed-signers @allowed --identity ann@example.org';

  it.each(['ed', 'ec'])('takes the key %s, of every hash', async (key) => {
    for (const hash of ['sha256', 'sha512']) {
      await theirs('message', key, `-n file -O hashalg=${hash}`);
      const verify = 'verify @message --signature @message.sig';
      expect((await offline(`${verify} ${allowed}`)).code, hash).toBe(0);
      expect((await offline(`${verify} --public-key @${key}.pub`)).code, hash).toBe(0);
      expect((await run(verify)).out).toContain('no valid key of keyring default');
      put('changed', 'a message.');
      const changed = await offline(`verify @changed --signature @message.sig ${allowed}`);
      expect(changed).toMatchObject({ code: 5, err: '' });
      expect(changed.out).toContain('does not fit');
    }
  });

  it('says who, for scripts too', async () => {
    await theirs('message');
    const { out } = await offline(`--json verify @message --signature @message.sig ${allowed}`);
    expect(JSON.parse(out)).toEqual({
      valid: true,
      kid: expect.stringMatching(/^[0-9a-f]{8}$/) as string,
      identity: 'ann@example.org',
    });
  });

  it('refuses another namespace, another identity and another type of key', async () => {
    await theirs('message', 'ed', '-n git');
    const verify = `verify @message --signature @message.sig`;
    expect((await offline(`${verify} ${allowed}`)).out).toContain('namespace git');
    expect((await offline(`${verify} ${allowed} --namespace git`)).code).toBe(0);
    await theirs('message');
    const eve = await offline(`${verify} --allowed-signers @allowed --identity eve@example.org`);
    expect(eve.code).toBe(5);
    expect(eve.out).toMatch(/allowed: no line lets eve@example.org sign with key SHA256:/);
    await keygen('-q -s rsa -I ann -n ann@example.org ec.pub');
    await theirs('message', 'ec-cert.pub');
    put('authority', `ann@example.org cert-authority ${text('rsa.pub')}`);
    const certified = await offline(
      `${verify} --allowed-signers @authority --identity ann@example.org`,
    );
    expect(certified).toMatchObject({ code: 5 });
    expect(certified.out).toContain(
      'key of type ecdsa-sha2-nistp256-cert-v01@openssh.com, which is not known here',
    );
  });

  it('takes a key of a type that no keyring has, and names it by its fingerprint', async () => {
    await theirs('message', 'rsa');
    put('rsa-allowed', `ann@example.org ${text('rsa.pub')}`);
    const words = '--json verify @message --signature @message.sig --allowed-signers @rsa-allowed';
    const { code, out } = await offline(`${words} --identity ann@example.org`);
    const { out: shown } = await keygen('-lf rsa.pub');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      ...{ valid: true, kid: null, identity: 'ann@example.org' },
      fingerprint: shown.split(' ')[1],
    });
  });

  it('lets no signature of another form get around allowed signers and namespaces', async () => {
    put('plain', (await run('sign @message')).out);
    put('mini', (await run('sign @message --format minisign')).out);
    for (const form of ['plain', 'mini']) {
      for (const option of [allowed, '--namespace file']) {
        const session = await run(`verify @message --signature @${form} ${option}`);
        expect(session, option).toMatchObject({ code: 5 });
        expect(session.out).toContain('it is no ssh signature');
      }
    }
  });

  it('wants its options together, and one thing from stdin', async () => {
    await theirs('message');
    const wrong = [
      'verify @message --signature @message.sig --identity ann@example.org',
      'verify @message --signature @message.sig --allowed-signers @allowed',
      `verify @message --signature @message.sig ${allowed} --public-key @ed.pub`,
      `verify @message --signature @message.sig ${allowed} --kid 00000000`,
      'verify --signature @message.sig --allowed-signers - --identity ann@example.org',
      'verify @message --signature @message.sig --allowed-signers @none --identity ann@example.org',
    ];
    for (const line of wrong) expect((await offline(line)).code, line).toBe(2);
    put('anybody', `* ${text('ed.pub')}`);
    const unset = 'verify @message --signature @message.sig --allowed-signers @anybody --identity=';
    expect(await offline(unset)).toMatchObject({
      code: 2,
      err: 'agentctl: --identity must not be empty\n',
    });
    const piped = `verify @message --signature - ${allowed}`;
    expect((await offline(piped, { stdin: text('message.sig') })).code).toBe(0);
  });

  it('refuses the same lines of allowed signers as ssh-keygen', async () => {
    await theirs('message');
    const key = text('ed.pub').trim();
    const lines: [string, boolean][] = [
      [`ann@example.org ${key}`, true],
      [`  ann@example.org\t${key} with a comment`, true],
      [`"ann@example.org" ${key}`, true],
      [`# ann@example.org ${key}`, false],
      [`bob@example.org,ann@* ${key}`, true],
      [`ann?example.org ${key}`, true],
      [`*,!ann@example.org ${key}`, false],
      [`!ann@example.org,* ${key}`, false],
      [`!bob@example.org ${key}`, false],
      [`ANN@example.org ${key}`, false],
      [`ann@example.org namespaces="git,file" ${key}`, true],
      [`ann@example.org NAMESPACES="fi*" ${key}`, true],
      [`ann@example.org namespaces="*,!file" ${key}`, false],
      [`ann@example.org namespaces="git" ${key}`, false],
      [`ann@example.org namespaces="" ${key}`, false],
      [`ann@example.org namespaces=file ${key}`, false],
      [`ann@example.org namespaces="file ${key}`, false],
      [`ann@example.org namespaces="a \\"b\\",file" ${key}`, true],
      [`ann@example.org valid-after="20200101" ${key}`, true],
      [`ann@example.org valid-after="29990101Z" ${key}`, false],
      [`ann@example.org valid-before="20200101Z",namespaces="file" ${key}`, false],
      [`ann@example.org valid-before="299901011200Z" ${key}`, true],
      [`ann@example.org valid-before="29990101120000" ${key}`, true],
      [`ann@example.org valid-before="2999-01-01" ${key}`, false],
      [`ann@example.org valid-after="20300101",valid-before="20200101" ${key}`, false],
      [`ann@example.org valid-after="20200101",valid-after="20200102" ${key}`, false],
      [`ann@example.org cert-authority ${key}`, false],
      [`ann@example.org no-such-option ${key}`, false],
      [`ann@example.org namespaces="file", ${key}`, false],
      [`ann@example.org ${text('ec.pub').trim()}\nann@example.org ${key}`, true],
      [`ann@example.org namespaces="git" ${key}\nann@example.org ${key}`, true],
      [`ann@example.org ssh-ed25519 AAAA\nann@example.org ${key}`, true],
      [`ann@example.org ssh-ed25519 AAAA`, false],
      [`bob@example.org ssh-ed25519 AAAA\nann@example.org ${key}`, true],
      [`ann@example.org ${key.replace('ssh-ed25519', 'ssh-rsa')}`, false],
      [`ann@example.org valid-after="19700101Z" ${key}`, false],
      [`ann@example.org,\rcert-authority ${key}`, false],
      [`\r!ann@example.org,* ${key}`, false],
      [`ann@example.org`, false],
      ['', false],
    ];
    for (const [line, isAllowed] of lines) {
      put('lines', `${line}\n`);
      const verify = '-Y verify -f lines -I ann@example.org -n file -s message.sig';
      const stock = await keygen(verify, 'a message');
      const ours = await offline(
        'verify @message --signature @message.sig --allowed-signers @lines --identity ann@example.org',
      );
      expect([stock.code === 0, ours.code], line).toEqual([isAllowed, isAllowed ? 0 : 5]);
    }
  });
});
