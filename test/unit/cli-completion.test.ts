import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentctl } from '../support/cli-session.ts';

const dir = mkdtempSync(join(tmpdir(), 'cli-completion-'));
const bin = join(dir, 'agentctl');

beforeAll(async () => {
  writeFileSync(join(dir, 'script'), (await agentctl(['completion', 'bash'])).out);
  // Stands in for the program: knows keys, unless it is sent to another socket.
  writeFileSync(
    bin,
    `#!/bin/sh
case "$*" in
  '--json keys list') echo '{"keys":[{"kid":"0a1b2c3d"},{"kid":"11111111"}]}' ;;
  '--keyring ci --json keys list') echo '{"keys":[{"kid":"cccccccc"}]}' ;;
  *) echo broken >&2; exit 3 ;;
esac
`,
  );
  chmodSync(bin, 0o755);
  writeFileSync(join(dir, 'a file.txt'), '');
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** What a real bash offers for the last of these words. */
function complete(...words: string[]): string[] {
  const script = `source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _agentctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', script, 'bash', bin, ...words], {
    cwd: dir,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return output.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  const all = [
    'status',
    'ping',
    'wait',
    'whoami',
    'keys',
    'sign',
    'verify',
    'verify-attestation',
    'help',
    'jwks',
    'jwt',
    'unlock',
    'lock',
    'reload',
    'apikey',
    'clientkey',
    'backup',
    'ca',
    'restore',
    'trust',
    'join-token',
    'init',
    'reconcile',
    'doctor',
    'audit',
    'completion',
  ];
  const cases: [string, string[], string[]][] = [
    ['commands', [''], all],
    ['their beginnings', ['s'], ['status', 'sign']],
    ['subcommands', ['keys', 'pr'], ['prepare', 'prune']],
    ['behind flags', ['--json', '--keyring', 'keys', 'keys', 'ro'], ['rotate']],
    ['choices of an argument', ['completion', ''], ['bash', 'zsh', 'fish']],
    [
      'choices of an option',
      ['sign', '--format', ''],
      ['raw', 'b64', 'json', 'sshsig', 'minisign', 'jws'],
    ],
    ['choices of another', ['keys', 'show', '--format', 'p'], ['pem']],
    ['choices behind =', ['sign', '--format', '=', 'r'], ['raw']],
    ['options', ['sign', '--k'], ['--kid', '--keyring']],
    ['options of a subcommand', ['keys', 'revoke', '--r'], ['--reason']],
    ['files', ['sign', 'a'], ['a file.txt', 'agentctl']],
    ['files of a list', ['audit', 'verify', 'script', 'a f'], ['a file.txt']],
    ['files of an option', ['verify', '--signature', 'a f'], ['a file.txt']],
    ['files behind --', ['sign', '--', 's'], ['script']],
    ['kids of an argument', ['keys', 'show', ''], ['0a1b2c3d', '11111111']],
    ['kids of an option', ['sign', '--kid', '1'], ['11111111']],
    ['kids of the keyring that is named', ['--keyring', 'ci', 'keys', 'show', ''], ['cccccccc']],
    ['nothing without an agent', ['--socket', '/none', 'keys', 'show', ''], []],
    ['nothing for a text', ['keys', 'revoke', '--reason', ''], []],
  ];
  it.each(cases)('offers %s', (_, words, offered) => {
    expect(complete(...words).sort()).toEqual([...offered].sort());
  });
});

describe('completion in other shells', () => {
  it('knows every command and option of the tree', async () => {
    const scripts = await Promise.all(
      ['zsh', 'fish'].map(async (shell) => (await agentctl(['completion', shell])).out),
    );
    for (const script of scripts) {
      for (const name of [
        'status',
        'rotate',
        'activate-after',
        'public-key',
        'keyring',
        'raw b64 json',
      ]) {
        expect(script).toContain(name);
      }
    }
  });
});
