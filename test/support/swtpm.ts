import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An emulated TPM 2.0 of its own (swtpm), in a directory of its own, which serves one connection at a time. */
export interface Swtpm {
  readonly dir: string;
  /** Of its data socket. */
  readonly socket: string;
  /** For a configuration. */
  readonly device: string;
  /** As a machine that is switched off and on: what was loaded is gone, PCRs are zero. */
  restart(): Promise<void>;
  /** Runs programs of tpm2-tools on it: it answers nobody else meanwhile, so close what is open first. */
  tools(program: string, ...args: string[]): Promise<string>;
  /** The same with OpenSSL and its TPM provider. */
  openssl(...args: string[]): Promise<string>;
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export async function startSwtpm(): Promise<Swtpm> {
  const dir = await mkdtemp(join(tmpdir(), 'signing-agent-swtpm-'));
  const state = join(dir, 'state');
  await mkdir(state);
  const socket = join(dir, 'tpm.sock');
  let process = await launch(state, socket);
  const stop = async (): Promise<void> => {
    if (process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, 'exit');
    process.kill('SIGKILL');
    await ended;
  };
  const restart = async (): Promise<void> => {
    await stop();
    process = await launch(state, socket);
  };
  const outside = async (program: string, args: readonly string[]): Promise<string> => {
    const tcti = `cmd:nc -U ${socket}`;
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      TPM2TOOLS_TCTI: tcti,
      TPM2OPENSSL_TCTI: tcti,
    };
    // A TPM that is in use answers nobody else: that is an error of the test, and ends it.
    const { stdout } = await run(program, args, { cwd: dir, env, timeout: 20_000 });
    // No resource manager stands between: what a program leaves loaded fills the TPM.
    await run('tpm2_flushcontext', ['--transient-object'], { cwd: dir, env, timeout: 20_000 });
    return stdout;
  };
  return {
    dir,
    socket,
    device: `unix:${socket}`,
    restart,
    tools: (program, ...args) => outside(program, args),
    openssl: (...args) => outside('openssl', args),
    stop,
    remove: async () => {
      await stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Resolves when it takes connections. */
async function launch(state: string, socket: string): Promise<ChildProcess> {
  await rm(socket, { force: true });
  const process = spawn(
    'swtpm',
    [
      ...[
        'socket',
        '--tpm2',
        '--tpmstate',
        `dir=${state}`,
        '--flags',
        'not-need-init,startup-clear',
      ],
      ...['--server', `type=unixio,path=${socket}`],
    ],
    { stdio: 'ignore' },
  );
  // Its name is there before it listens.
  while (!(await isListening(socket))) {
    if (process.exitCode !== null) throw new Error(`swtpm ended with ${process.exitCode}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process;
}

async function isListening(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
