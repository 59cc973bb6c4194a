import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { blocksOf, readDocument } from '../support/document.ts';
import { Normalised } from '../support/normalised.ts';
import { OtherUser } from '../support/other-user.ts';

/** README's blocks, pasted by a user who is not root into a shell in a checkout of that user's. */

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a checkout has not. */
const built = /\/(?:node_modules|\.?dist(?:-\d+)?(?:-\w+)?|\.git)$/;

let user: OtherUser;
let home: string;
let checkout: string;
beforeEach(() => {
  user = new OtherUser();
  home = mkdtempSync(join(tmpdir(), 'home-'));
  checkout = join(home, 'signing-agent');
  cpSync(root, checkout, { recursive: true, filter: (path) => !built.test(path) });
  // Installing them takes a registry, and a minute: they are there already.
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  utimesSync(join(checkout, 'package-lock.json'), 0, 0);
  execFileSync('chown', ['-Rh', `${user.uid}:${user.gid}`, home]);
});
afterEach(() => {
  rmSync(home, { recursive: true });
  user.remove();
});

/** All that a shell prints that this is pasted into. */
async function pasted(script: string): Promise<string> {
  const [command = '', ...words] = user.launcher;
  const shell = spawn(command, [...words, 'bash', '--noprofile', '--norc'], {
    cwd: checkout,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], HOME: home, LANG: 'C.UTF-8', NO_UPDATE_NOTIFIER: '1' },
  });
  const said = text(shell.stdout);
  const ended = once(shell, 'exit');
  shell.stdin.end(`exec 2>&1\n${script}\njobs=$(jobs -p); [ -z "$jobs" ] || kill $jobs; wait\n`);
  await ended;
  return said;
}

const shBlocks = (path: string): readonly string[] =>
  blocksOf(readDocument(path)).flatMap((block) => (block.language === 'sh' ? [block.text] : []));

test('the block of five minutes signs, rotates and verifies, in a home that is not that of root', async () => {
  const [, fiveMinutes = ''] = shBlocks('README.md');
  expect(fiveMinutes).toContain('install-packages');
  const said = new Normalised().text(await pasted(fiveMinutes));
  expect(said.split('\n')).toEqual([
    'valid: signed by ID1 (keyring default)',
    ...['active ID2', 'public key BASE64', 'previous ID1', 'valid until WHEN (TIME)'],
    'valid: signed by ID1 (keyring default)',
    'KID STATE CREATED VALID UNTIL PROTECTION',
    'ID1 grace WHEN (TIME) WHEN (TIME) software',
    'ID2 active WHEN (TIME) while it is active software',
    '',
    'next: keys whose grace has ended are removed WHEN (TIME)',
    "software: the key can be copied by whoever controls this machine's token or file",
  ]);
});
