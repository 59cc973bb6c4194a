import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

const probe = fileURLToPath(new URL('../../dist/bin/module-probe.js', import.meta.url));

let token: SoftHsmToken;
beforeAll(async () => {
  token = await makeToken();
});
afterAll(() => token.remove());

/** What the dynamic linker says (LD_DEBUG in ld.so(8)) of a process that loads SoftHSM as a vault host does. */
function bindings(): readonly { readonly to: string; readonly symbol: string }[] {
  const folder = mkdtempSync(join(tmpdir(), 'bindings-'));
  try {
    const { status, stdout } = spawnSync(process.execPath, [probe], {
      input: JSON.stringify({
        path: token.modulePath,
        uri: { token: 'test', serial: null, manufacturer: null, model: null },
        algorithm: 'ed25519',
        libraryParameters: null,
      }),
      encoding: 'utf8',
      env: {
        ...process.env,
        ...token.environment,
        LD_DEBUG: 'bindings',
        LD_DEBUG_OUTPUT: join(folder, 'ld'),
      },
    });
    expect(status).toBe(0);
    expect(stdout).toContain('"outcome":"token"');
    const said = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const line = /binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `([^']+)'/g;
    return [...said.join('').matchAll(line)].flatMap(([, from, to = '', symbol = '']) =>
      from === token.modulePath ? [{ to, symbol }] : [],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a module binds to its own OpenSSL, all of it, and to nothing of node's", () => {
  const all = bindings();
  const crypto = all.filter(({ symbol }) =>
    /^(EVP|EC|ECDSA|RSA|BN|DH|OBJ|ENGINE|CRYPTO)_/.test(symbol),
  );
  expect(crypto.length).toBeGreaterThan(100);
  expect(crypto.filter(({ to }) => !/\/libcrypto\.so\.\d+$/.test(to))).toEqual([]);
  expect(all.filter(({ to }) => to === process.execPath || to.endsWith('/node'))).toEqual([]);
});
