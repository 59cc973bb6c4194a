import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AgentError } from '../base/errors.ts';

export interface EphemeralParts {
  /** A program and its arguments; at least the program. */
  readonly command: readonly string[];
  /** Words that start an agent of this program. */
  readonly agent: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stderr: NodeJS.WritableStream;
}

/** statfs(2), `f_type`. */
const memoryFileSystems = [0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */];
/** As shells have them. */
const notFound = 127;
const notExecutable = 126;
const bySignal = 128;
/** Lines of the agent's log that concern whoever waits for the command. */
const shown = /"level":"(?:warn|error)"/;

/**
 * Runs a command beside an agent of its own, as ssh-agent(1) does: a keyring `default` whose keys are in memory and end
 * with it. The command finds the agent by SIGNING_AGENT_SOCK and SSH_AUTH_SOCK. Resolves with its exit code. Rejects
 * with `not_found` where there is no file system in memory, `backend_unavailable` where the agent does not start.
 */
export async function runEphemeral({
  command,
  agent: [program, ...words],
  env,
  stderr,
}: EphemeralParts): Promise<number> {
  const folder = mkdtempSync(join(memoryFolder(env), 'signing-agent-'));
  const at = (name: string): string => join(folder, name);
  let agent: ChildProcess | null = null;
  try {
    const config = at('agent.toml');
    writeFileSync(
      config,
      `state_dir = "${at('state')}"\n[socket]\npath = "${at('agent.sock')}"\n` +
        `[ssh_agent]\npath = "${at('ssh.sock')}"\n`,
      { mode: 0o600 },
    );
    // In a group of its own: Ctrl-C at a terminal is for the command.
    agent = spawn(program, [...words, '--config', config, '--ephemeral-of', String(process.pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    await ready(agent, stderr);
    return await run(command, {
      ...env,
      SIGNING_AGENT_SOCK: at('agent.sock'),
      SSH_AUTH_SOCK: at('ssh.sock'),
    });
  } finally {
    if (agent !== null) await end(agent);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A private directory is made in it: nobody but this user reads it, and no disk has it. */
function memoryFolder({ XDG_RUNTIME_DIR: runtime }: EphemeralParts['env']): string {
  for (const folder of [runtime ?? '', '/dev/shm']) {
    try {
      if (folder.startsWith('/') && memoryFileSystems.includes(statfsSync(folder).type)) {
        return folder;
      }
    } catch {
      // It is not there.
    }
  }
  throw new AgentError(
    'not_found',
    'there is no file system in memory, neither XDG_RUNTIME_DIR nor /dev/shm: keys that are to end with a command ' +
      'would be on a disk. Mount a tmpfs and name it by XDG_RUNTIME_DIR',
  );
}

/** Resolves when the agent is ready. From then on shows what it warns of; everything it said where it ends first. */
async function ready(agent: ChildProcess, stderr: NodeJS.WritableStream): Promise<void> {
  const lines = createInterface({ input: agent.stderr ?? process.stdin });
  let said: string[] | null = [];
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      said?.push(line);
      if (said === null && shown.test(line)) stderr.write(`${line}\n`);
      if (!line.includes('"msg":"ready"')) return;
      said = null;
      resolve();
    });
    agent.on('error', reject);
    // Not at its exit, before which or after which the last line may come.
    agent.on('close', () => {
      const why = (said ?? []).join('\n');
      reject(new AgentError('backend_unavailable', `the agent did not start: ${why}`));
    });
  });
}

async function run(
  [program = '', ...args]: readonly string[],
  env: EphemeralParts['env'],
): Promise<number> {
  // A terminal sends the first two to the command as well. All before there is one: it may be quick.
  let child: ChildProcess | null = null;
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child?.kill(signal));
  child = spawn(program, args, { stdio: 'inherit', env });
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? bySignal + (signal === null ? 0 : constants.signals[signal]);
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    process.stderr.write(
      `signing-agent: ${program}: ${code === 'ENOENT' ? 'not found' : String(failure)}\n`,
    );
    return code === 'ENOENT' ? notFound : notExecutable;
  }
}

async function end(agent: ChildProcess): Promise<void> {
  if (agent.exitCode !== null || agent.signalCode !== null || agent.pid === undefined) return;
  const exited = once(agent, 'exit');
  agent.kill('SIGTERM');
  await exited;
}
