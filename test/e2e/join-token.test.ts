import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JoinTokenVerdict } from '../../src/api/join-tokens.ts';
import { Daemon } from '../support/daemon.ts';
import {
  base64url,
  ForeignCluster,
  foreignKey,
  foreignToken,
  isTokenOf,
  textsOf,
  type ForeignClaims,
} from '../support/foreign-cluster.ts';

const program = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));
const daemon = new Daemon();
const { folder, socket } = daemon;

/** A command line as it is typed, in the folder of the agent, whose socket is in the environment. */
function $(line: string): { status: number | null; out: string; err: string } {
  const shell = `agentctl() { "${process.execPath}" "${program}" "$@"; }; ${line}`;
  const env = { ...process.env, SIGNING_AGENT_SOCK: socket };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', shell], { cwd: folder, env });
  return { status, out: stdout.toString(), err: stderr.toString() };
}
const json = (line: string): unknown => JSON.parse($(`agentctl --json ${line}`).out);
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const write = (name: string, text: string): void => {
  writeFileSync(join(folder, name), text);
};

const hours = (count: number): string => new Date(Date.now() + count * 3_600_000).toISOString();
const claims: ForeignClaims = {
  api_endpoint: 'https://leader:3669',
  raft_endpoint: '10.0.0.1:3670',
  leader_wg_pubkey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
  overlay_cidr: '10.42.0.0/16',
  exp: hours(2).replace('.', '.000000').replace('Z', '+00:00'),
  iat: '2026-05-14T17:55:00.000000001Z',
  iss: 'Führer "7"\t€',
};
const flags =
  '--api-endpoint https://leader:3669 --raft-endpoint 10.0.0.1:3670 --leader-wg-pubkey wg --overlay-cidr 10.42.0.0/16';

beforeAll(async () => {
  const config = daemon.config(
    '[keyrings.default]\n[keyrings.nodes]\n[cluster]\ndomain = "prod.example"\nkeyring = "nodes"\n[audit]\n',
  );
  await daemon.start('--config', config);
  write('claims.json', JSON.stringify(claims));
  write('texts.json', JSON.stringify(textsOf(claims)));
});
afterAll(() => daemon.remove());

describe('a session with join tokens', () => {
  const hash = (): string => createHash('sha256').update(read('join.token').trim()).digest('hex');

  it('mints one into a file that nobody else may read', () => {
    const { status, out, err } = $(
      'agentctl join-token mint --claims claims.json --out join.token',
    );
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/^written to join\.token; it expires in (1h 59m|2h) \(/);
    expect(statSync(join(folder, 'join.token')).mode & 0o777).toBe(0o600);
    expect($('agentctl join-token mint --claims claims.json --out join.token')).toMatchObject({
      status: 1,
      err: expect.stringMatching(/is there already/) as string,
    });
  });

  it("which others read byte for byte, signed by the active key of the cluster's keyring", () => {
    const { keys } = json('--keyring nodes keys list') as {
      keys: { kid: string; public_key_b64: string }[];
    };
    const { kid, public_key_b64: x } = keys[0] ?? { kid: '', public_key_b64: '' };
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    expect(isTokenOf(read('join.token').trim(), key, kid, claims)).toBe(true);
  });

  it('verifies it from stdin, from a file and as it stands', () => {
    for (const how of ['- < join.token', 'join.token', '"$(cat join.token)"']) {
      const { status, out, err } = $(`agentctl join-token verify ${how}`);
      expect({ status, err }).toEqual({ status: 0, err: '' });
      expect(out).toMatch(/^valid: signed by [0-9a-f]{8}, a key of this agent$/m);
      expect(out).toMatch(/^issuer +Führer "7"\\t€$/m);
    }
    expect(json('join-token verify join.token')).toMatchObject({ valid: true, v: 1, claims });
  });

  it('says which rule a token fails, with an exit code of its own', () => {
    const { status, out } = $('tr A-Z a-z < join.token | agentctl join-token verify -');
    expect(status).toBe(5);
    expect(out).toMatch(/^not valid: format: /);
    const verdict = $('echo e30 | agentctl --json join-token verify -');
    expect(verdict.status).toBe(5);
    expect(JSON.parse(verdict.out)).toMatchObject({ valid: false, rule: 'version' });
  });

  it('revokes it, in every spelling', () => {
    expect($('agentctl join-token revocations').out).toBe('no revoked join tokens\n');
    const { status, out, err } = $('agentctl join-token revoke - < join.token');
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(new RegExp(`^revoked ${hash()} until it expires in `));
    const refused = /^not valid: revoked: it was revoked$/m;
    expect($('agentctl join-token verify join.token')).toMatchObject({ status: 5 });
    const standard = 'base64 -d <(tr -- "-_" "+/" < join.token) 2>/dev/null | base64 -w 0';
    expect($(`${standard} | agentctl join-token verify -`).out).toMatch(refused);
    expect($('agentctl join-token revocations').out).toMatch(
      new RegExp(`^${hash()}  [0-9a-f]{8}  `, 'm'),
    );
  });

  it('revokes one by its hash, and says what that is worth', () => {
    const minted = $(`agentctl join-token mint ${flags} --iss a --ttl 7d`);
    expect(minted).toMatchObject({ status: 0, err: '' });
    write('other.token', minted.out);
    const revoked = $(
      `agentctl join-token revoke "$(tr -d '\\n' < other.token | sha256sum | cut -c 1-64)"`,
    );
    expect(revoked.status).toBe(0);
    expect(revoked.err).toMatch(/^Only its hash is known: /);
    expect($('agentctl join-token verify other.token').out).toMatch(/^not valid: revoked/);
  });

  it('keeps no token in the audit log, but what was signed and what was revoked', () => {
    const records = $('cat state/audit/*.jsonl').out;
    for (const name of ['join.token', 'other.token']) {
      expect(records).not.toContain(read(name).trim().slice(0, 60));
    }
    const text = Buffer.from(read('join.token').trim(), 'base64url').toString();
    const signed = /"claims":(\{.*?\}),"sig"/.exec(text)?.[1] ?? '';
    expect(records).toContain(createHash('sha256').update(signed).digest('hex'));
    expect(records).toMatch(new RegExp(`"join_token_revoke"[^\\n]*"subject":"${hash()}"`));
  });
});

describe('the claims', () => {
  it('are those of the flags before those of the file', () => {
    const minted = $('agentctl join-token mint --claims - --iss node-7 --ttl 15m < texts.json');
    expect(minted).toMatchObject({ status: 0, err: '' });
    write('flags.token', minted.out);
    const { claims: read } = json('join-token verify flags.token') as JoinTokenVerdict;
    expect(read).toMatchObject({ ...textsOf(claims), iss: 'node-7' });
    expect(Date.parse(read?.exp ?? '') - Date.parse(read?.iat ?? '')).toBe(900_000);
  });

  it.each([
    ['too few', '--iss a', 2, /claims are missing: give --api-endpoint, .*, or api_endpoint, /],
    [
      'an end and a time to live',
      `${flags} --iss a --ttl 1h --exp ${hours(1)}`,
      2,
      /'--ttl <duration>' cannot be used with option '--exp <time>'/,
    ],
    [
      'a time to live beside the end in the file',
      '--claims claims.json --ttl 1h',
      1,
      /give one of them/,
    ],
    [
      'an end that has come',
      `${flags} --iss a --exp 2026-01-01T00:00:00Z`,
      1,
      /would have expired/,
    ],
    [
      'an end that is no time',
      `${flags} --iss a --exp tomorrow`,
      1,
      /claims\.exp: must be an RFC 3339/,
    ],
    ['no duration', `${flags} --iss a --ttl 0s`, 2, /not a duration/],
    ['a file that is no JSON', '--claims <(echo x)', 2, /is not JSON/],
    ['a file that is no object', '--claims <(echo [])', 2, /no JSON object/],
    ['a claim twice', `${flags} --claims <(echo '{"iss":"a","iss":"b"}')`, 2, /once/],
    [
      'a claim that is not known',
      `${flags} --iss a --claims <(echo '{"sub":"a"}')`,
      1,
      /claims\.sub: there is no such/,
    ],
    ['a claim that is a number', `${flags} --claims <(echo '{"iss":1}')`, 1, /claims\.iss/],
  ])('with %s are refused', (_, line, status, why) => {
    const refused = $(`agentctl join-token mint ${line}`);
    expect(refused).toMatchObject({ status, out: '' });
    expect(refused.err).toMatch(why);
  });

  it('take exactly one of a token and a hash to be revoked', () => {
    const request = { jsonrpc: '2.0', id: 1, method: 'join_token_revoke' };
    for (const params of [
      {},
      { hash: '0'.repeat(64), token: foreignToken(foreignKey()) },
      { hash: 'A'.repeat(64) },
      { token: 'x' },
    ]) {
      write('request', `${JSON.stringify({ ...request, params })}\n`);
      expect($(`nc -NU ${socket} < request`).out).toContain('"kind":"invalid_params"');
    }
  });
});

describe('a cluster that is trusted', () => {
  const cluster = new ForeignCluster('other.example');
  const key = foreignKey();
  const token = foreignToken(key, claims, cluster.certificate(key, { expires: hours(1) }));

  it('is listed, from its import on', () => {
    expect($('agentctl trust list').out).toBe('no trusted clusters\n');
    write('other.json', `${cluster.bundle('2026-05-01T00:00:00Z')}\n`);
    write('foreign.token', token);
    expect($('agentctl join-token verify foreign.token').out).toMatch(/^not valid: chain_domain: /);
    const groups = cluster.ca.fingerprint.match(/.{4}/g)?.join(' ') ?? '';
    const other = '0123 '.repeat(16).trim();
    const refused = $(`agentctl trust import other.json --fingerprint '${other}'`);
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toContain(groups);
    expect($(`agentctl trust import other.json --fingerprint ${cluster.ca.kid}`).status).toBe(2);
    expect($(`agentctl trust import other.json --fingerprint '${groups}'`)).toEqual({
      status: 0,
      out: `other.example is trusted: CA ${cluster.ca.kid}\nSHA-256 ${groups}\n`,
      err: '',
    });
    expect($('agentctl trust import - < other.json').out).toMatch(
      /was trusted by this bundle already/,
    );
    expect($('agentctl trust list').out).toMatch(
      new RegExp(`^other\\.example  ${cluster.ca.kid}  ${groups}  `, 'm'),
    );
  });

  it('has its tokens verified here', () => {
    const { status, out } = $('agentctl join-token verify foreign.token');
    expect(status).toBe(0);
    expect(out).toMatch(new RegExp(`^valid: signed by ${key.kid} of other\\.example$`, 'm'));
    const groups = cluster.ca.fingerprint.match(/.{4}/g)?.join(' ') ?? '';
    expect(out).toContain(`\nby the CA with SHA-256 ${groups}\n`);
    const expired = cluster.certificate(key, { expires: hours(-1) });
    write('expired.token', foreignToken(key, claims, expired));
    expect($('agentctl join-token verify expired.token')).toMatchObject({
      status: 5,
      out: expect.stringMatching(/^not valid: chain_expired: /) as string,
    });
  });

  it('is not replaced by another CA, unless that is said', () => {
    const next = new ForeignCluster('other.example');
    write('next.json', next.bundle('2026-05-02T00:00:00Z'));
    const refused = $('agentctl --json trust import next.json');
    expect(refused.status).toBe(1);
    expect(refused.err).toMatch(/"kind":"already_exists"/);
    expect($('agentctl trust import next.json --replace').out).toMatch(/with another CA: CA /);
    expect($('agentctl trust import other.json --replace')).toMatchObject({
      status: 1,
      err: expect.stringMatching(/older than the one that is known/) as string,
    });
    expect($('agentctl join-token verify foreign.token').out).toMatch(
      /^not valid: chain_signature/,
    );
  });

  it('is removed when that is confirmed', () => {
    expect($('agentctl trust remove other.example < /dev/null')).toMatchObject({ status: 2 });
    expect($('agentctl trust remove other.example --yes').out).toBe(
      'other.example is trusted no more\n',
    );
    expect($('agentctl trust remove other.example --yes')).toMatchObject({
      status: 1,
      err: 'agentctl: there is no trust bundle of "other.example"\n',
    });
  });

  it.each([
    ['no bundle', 'echo x', /is not JSON/],
    ['a token', 'cat foreign.token', /is not JSON/],
    ['what is not UTF-8', "printf '\\377'", /is not UTF-8/],
    [
      'a bundle whose kid is not its own',
      `sed s/${cluster.ca.kid}/00000000/ other.json`,
      /ca_kid 00000000/,
    ],
    ['more than a bundle', "head -c 5000 /dev/zero | tr '\\0' x", /longer than 4096/],
  ])('is not %s', (_, command, why) => {
    const refused = $(`${command} | agentctl trust import -`);
    expect(refused.status).toBeGreaterThan(0);
    expect(refused.err).toMatch(why);
  });
});

describe('hostile tokens', () => {
  it.each([
    ['nothing', "printf ''"],
    ['broken base64', 'echo "ey*"'],
    ['no text', 'head -c 300 /dev/urandom | base64 -w 0 | tr -- +/ -_'],
    ['a deep nest', `printf '%s' '${base64url(`${'['.repeat(9000)}${']'.repeat(9000)}`)}'`],
    ['more than a token', "head -c 66000 /dev/zero | tr '\\0' A"],
  ])('%s', (_, command) => {
    const verdict = $(`${command} | agentctl --json join-token verify -`);
    expect(verdict.status).toBe(5);
    expect(JSON.parse(verdict.out)).toMatchObject({ valid: false, rule: 'format' });
  });
});

describe('who may', () => {
  it('mint with scope app, verify with scope reader, revoke and trust with scope admin alone', () => {
    for (const scope of ['app', 'reader']) {
      const made = $(
        `agentctl apikey create ${scope} --scope ${scope} --keyring nodes --out ${scope}.key`,
      );
      expect(made.status).toBe(0);
    }
    $('agentctl apikey create elsewhere --scope admin --keyring default --out elsewhere.key');
    const ends = (key: string, line: string): number | null =>
      $(`agentctl --api-key-file ${key}.key ${line}`).status;
    const mint = `join-token mint ${flags} --iss a`;
    expect([ends('app', mint), ends('reader', mint), ends('elsewhere', mint)]).toEqual([0, 4, 4]);
    const verify = 'join-token verify join.token';
    expect([ends('app', verify), ends('reader', verify), ends('elsewhere', verify)]).toEqual([
      5, 5, 4,
    ]);
    for (const line of [
      `join-token revoke ${'0'.repeat(64)}`,
      'trust import other.json',
      'trust remove x --yes',
    ]) {
      expect([ends('app', line), ends('reader', line), ends('elsewhere', line)]).toEqual([4, 4, 4]);
    }
  });

  it('and an agent that is in no cluster says so', async () => {
    const alone = await new Daemon().start();
    try {
      const refused = await alone.agentctl(['join-token', 'verify', '-'], 'x');
      expect(refused.code).toBe(1);
      expect(refused.err).toMatch(/this agent is in no cluster: give it a \[cluster\]/);
      expect((await alone.agentctl(['trust', 'list'])).out).toBe('no trusted clusters\n');
    } finally {
      await alone.remove();
    }
  });
});
