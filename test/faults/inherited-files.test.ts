import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Daemon } from '../support/daemon.ts';
import { childrenOf } from '../support/faulty-agent.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';

/** Descriptors that the agent is started with, as a careless service manager or shell leaves them open. */
const leftOpen = [9, 20, 200];

let daemon: Daemon;
let token: SoftHsmToken;
let tpm: Swtpm;
beforeEach(async () => {
  [token, tpm] = await Promise.all([makeToken(), startSwtpm()]);
});
afterEach(async () => {
  await daemon.remove();
  await token.remove();
  await tpm.remove();
});

/** What is open in a process, by descriptor. */
function openIn(pid: number): ReadonlyMap<number, string> {
  const open = new Map<number, string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      open.set(Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // It was closed meanwhile.
    }
  }
  return open;
}

it('every vault host has its own descriptors, and none of the agent', async () => {
  const redirected = leftOpen.map((fd) => `${fd}<"$SECRET"`).join(' ');
  const launcher = ['bash', '-c', `exec ${redirected}; exec "$@"`, 'bash'];
  const secret = join(token.dir, 'secret');
  writeFileSync(secret, 'of nobody else', { mode: 0o600 });
  daemon = new Daemon({ ...token.environment, SECRET: secret }, { launcher });
  const config = daemon.config(
    `[audit]\n[keyrings.default]\n[keyrings.token]\nbackend = "pkcs11"\nuri = "${token.uri}"\n` +
      `[keyrings.tpm]\nbackend = "tpm"\ndevice = "${tpm.device}"\nalgorithm = "es256"\n`,
  );
  await daemon.start('--config', config);
  const ofAgent = openIn(daemon.pid);
  for (const fd of leftOpen) expect(ofAgent.get(fd)).toBe(secret);
  const hosts = childrenOf(daemon.pid);
  expect(hosts).toHaveLength(2);
  const isNamed = (target: string): boolean => /^(socket|pipe):|^\/(?!dev\/null$)/.test(target);
  const named = new Set([...ofAgent.values()].filter(isNamed));
  expect(named).toContain(secret);
  for (const host of hosts) {
    const ofHost = openIn(host);
    expect(ofHost.get(3)).toMatch(/^socket:/);
    expect([...ofHost].filter(([, target]) => named.has(target))).toEqual([]);
  }
});
