import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { durableFiles } from '../files/durable-files.ts';
import { openLibc } from '../native/libc.ts';
import { HostServer } from '../vault/host/host-server.ts';
import { SignerThreads } from '../vault/host/signer-threads.ts';
import type { Shield } from '../vault/hosted.ts';
import { servedKind } from '../vault/kinds/kinds.ts';
import { failpoint } from './failpoint.ts';
import type { SignerThreadData } from './vault-host-signer.ts';

/**
 * The vault host: the one process that loads a PKCS#11 module, or opens a device. Started by the agent, with the channel
 * to it as file descriptor 3, one for each thread that signs from 4 on, and as arguments the agent's pid and how many of
 * these there are; and never by hand.
 */

const channelFd = 3;
const firstSignerFd = channelFd + 1;
/** More than any login takes, seconds: a token's own work, and a device that wakes up first. */
const longestLogin = 60;

const [, , parent, signers] = process.argv;
if (parent === undefined || process.ppid !== Number(parent)) process.exit(0);

// Node's own handler opens the inspector to every user of the machine.
process.on('SIGUSR1', () => undefined);
process.umask(0o077);
const libc = openLibc();
libc.refuseCoreDumps();
// The agent decides about our end: a terminal or a service manager signals the whole group.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR2'] as const) {
  process.on(signal, () => undefined);
}
dieWithParent();
process.on('uncaughtException', crash);

const channel = new Socket({ fd: channelFd, readable: true, writable: true });
channel.on('close', () => process.exit(0));
channel.on('error', () => process.exit(0));
const testPoint = failpoint(process.env);
new HostServer({
  channel,
  serve: async (backend) => {
    const serve = await servedKind(backend);
    return serve(
      {
        now: () => Date.now(),
        pause: (milliseconds) => sleep(milliseconds),
        randomBytes,
        files: durableFiles(libc),
        testPoint,
        environment: process.env,
      },
      shield(),
    );
  },
  signers: new SignerThreads({ start: startSigner, most: Number(signers) }),
  testPoint,
  stopped: () => process.exit(0),
});

function startSigner(channel: number, library: string): void {
  const data: SignerThreadData = { channelFd: firstSignerFd + channel, library };
  const thread = new Worker(new URL('vault-host-signer.js', import.meta.url), { workerData: data });
  thread.on('error', crash);
}

/** Not by `exit`, which waits for every thread, those among them that wait for the agent. */
function crash(failure: Error): never {
  writeSync(process.stderr.fd, `${failure.stack ?? failure.message}\n`);
  process.abort();
}

function dieWithParent(): void {
  libc.signalAtParentsEnd(constants.signals.SIGKILL);
  // It may have ended just before.
  if (process.ppid !== Number(parent)) process.exit(0);
}

/**
 * The one moment in which this process must not be killed with its parent: a module that is cut off while it
 * notes a login in its files (SoftHSM) loses the token. The login ends, or the alarm ends it.
 */
function shield(): Shield {
  return (work) => {
    libc.signalAtParentsEnd(0);
    libc.alarm(longestLogin);
    try {
      return work();
    } finally {
      libc.alarm(0);
      dieWithParent();
    }
  };
}
