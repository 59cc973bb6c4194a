import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Daemon } from '../support/daemon.ts';

const program = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));

const daemon = new Daemon();
const { folder, socket } = daemon;

/** A command line as it is typed; `agentctl` is the built one, and the agent's socket is in the environment. */
function $(line: string): { status: number | null; out: string; err: string } {
  const shell = `agentctl() { "${process.execPath}" "${program}" "$@"; }; ${line}`;
  const env = { ...process.env, SIGNING_AGENT_SOCK: socket, NO_COLOR: '' };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', shell], { cwd: folder, env });
  return { status, out: stdout.toString(), err: stderr.toString() };
}

interface Key {
  readonly kid: string;
  readonly public_key_b64: string;
  readonly state: string;
}

function keyIn(state: string): Key {
  const { keys } = JSON.parse($('agentctl --json keys list').out) as { keys: Key[] };
  const key = keys.find((candidate) => candidate.state === state);
  if (key === undefined) throw new Error(`no key is ${state}`);
  return key;
}
const kidOf = (state: string): string => keyIn(state).kid;

beforeAll(async () => {
  await daemon.start();
  writeFileSync(join(folder, 'message'), 'a message');
});
afterAll(() => daemon.remove());

describe('a session at a terminal', () => {
  it('looks around', () => {
    const status = $('agentctl status');
    expect(status).toMatchObject({ status: 0, err: '' });
    expect(status.out).toMatch(/^keyring default$/m);
    expect(status.out).toMatch(/^ {2}protection {2}software: the key can be copied/m);
    expect($('agentctl keys list').out.split('\n')[1]).toMatch(/^[0-9a-f]{8} {2}active {2}/);
    expect($(`agentctl keys show ${kidOf('active')}`).out).toMatch(/^state +active$/m);
  });

  it('signs and verifies, and openssl agrees', () => {
    expect($('agentctl sign message --out sig')).toEqual({ status: 0, out: '', err: '' });
    expect(readFileSync(join(folder, 'sig'))).toHaveLength(64);
    expect($('agentctl verify message --signature sig')).toMatchObject({ status: 0 });
    writeFileSync(join(folder, 'key.b64'), keyIn('active').public_key_b64);
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: keyIn('active').public_key_b64 };
    const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    writeFileSync(join(folder, 'key.pem'), pem);
    const check = 'openssl pkeyutl -verify -rawin -pubin -inkey key.pem';
    expect($(`${check} -in message -sigfile sig`)).toMatchObject({ status: 0 });
    const offline = 'agentctl --socket /none verify --signature sig --public-key';
    expect($(`${offline} key.pem message`).out).toMatch(/^valid: signed by [0-9a-f]{8} /);
    expect($(`${offline} key.b64 < message`).status).toBe(0);
    expect($(`echo changed | ${offline} key.pem`)).toMatchObject({ status: 5, err: '' });
  });

  it('signs in pipes', () => {
    expect($('echo -n hi | agentctl sign --format raw | wc -c').out.trim()).toBe('64');
    expect($('agentctl sign --format json message > s.json').status).toBe(0);
    expect($('agentctl verify - --signature s.json < message').out).toMatch(/^valid: /);
    expect($('agentctl sign /dev/null | agentctl verify /dev/null --signature -').status).toBe(0);
    expect($('agentctl completion bash | true; echo ${PIPESTATUS[0]}')).toMatchObject({
      out: '0\n',
      err: '',
    });
    expect($('agentctl sign message > /dev/full')).toMatchObject({ status: 1 });
  });

  it('changes keys', () => {
    const first = kidOf('active');
    const prepared = $('agentctl keys prepare --activate-after 2h');
    expect(prepared.out).toMatch(/^prepared [0-9a-f]{8}: to be active in 2h \(/);
    expect($('agentctl keys prepare')).toMatchObject({ status: 1, out: '' });
    const next = kidOf('prepared');
    expect($('agentctl keys rotate --grace 15m').out).toContain(next);
    expect(kidOf('active')).toBe(next);
    expect(kidOf('grace')).toBe(first);
    expect($('agentctl verify message --signature sig').out).toContain(first);
    expect($(`agentctl keys revoke ${first} < /dev/null`)).toMatchObject({ status: 2, out: '' });
    expect($(`agentctl keys revoke ${first} --yes --reason lost`).status).toBe(0);
    expect($('agentctl verify message --signature sig')).toMatchObject({ status: 5, err: '' });
    expect($(`agentctl sign --kid ${first} message`)).toMatchObject({ status: 1, out: '' });
    expect($('agentctl keys prune').out).toBe('nothing to remove: no grace has ended\n');
  });
});

describe('refusals', () => {
  it('name what is wrong and exit as agentctl(1) says', () => {
    const refused: [string, number, RegExp][] = [
      ['agentctl', 2, /no command was given/],
      ['agentctl sgin', 2, /Did you mean sign\?/],
      ['agentctl sign no-such-file', 2, /cannot read no-such-file/],
      ['agentctl keys rotate --grace soon', 2, /not a duration/],
      ['agentctl --keyring nope sign message', 1, /nope/],
      ['agentctl sign --kid 00000000 message', 1, /00000000/],
      ['agentctl sign message --out /no/such/dir', 1, /cannot write/],
      ['head -c 300000 /dev/zero | agentctl sign', 1, /300000 bytes.* 262144/],
      ['agentctl --socket /none status', 3, /is signing-agent running/],
    ];
    for (const [line, status, why] of refused) {
      const session = $(line);
      expect(session, line).toMatchObject({ status, out: '' });
      expect(session.err, line).toMatch(/^agentctl: /m);
      expect(session.err, line).toMatch(why);
    }
  });

  it('are JSON too with --json', () => {
    const lines = $('agentctl --json --keyring nope sign message').err.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({
      error: { kind: 'not_found', exit_code: 1 },
    });
  });

  it('end when the agent is back after it was killed', async () => {
    const before = kidOf('active');
    await daemon.stop('SIGKILL');
    expect($('agentctl sign message').status).toBe(3);
    await daemon.start();
    expect(kidOf('active')).toBe(before);
    expect($('agentctl sign message').status).toBe(0);
    expect(await daemon.stop()).toBe(0);
    await daemon.start();
  });
});
