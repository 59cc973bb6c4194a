import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Where the agent keeps its state and listens when nobody says otherwise (contract section 1): one place
 * for the agent and its clients, so that they find each other. Nothing here touches the file system.
 */

/** Environment variables by name; an empty one counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `/var/lib/signing-agent` for root; else `$XDG_STATE_HOME/signing-agent`, or
 * `~/.local/state/signing-agent` where that variable is unset or relative.
 */
export function defaultStateDir(env: Environment, uid: number): string {
  if (uid === 0) return '/var/lib/signing-agent';
  const home = absolute(env['HOME']) ?? homedir();
  return join(absolute(env['XDG_STATE_HOME']) ?? join(home, '.local', 'state'), 'signing-agent');
}

/**
 * `/run/signing-agent/agent.sock` for root; else `$XDG_RUNTIME_DIR/signing-agent/agent.sock`, or
 * `agent.sock` in the state dir where there is no runtime dir.
 */
export function defaultSocketPath(env: Environment, uid: number, stateDir: string): string {
  if (uid === 0) return '/run/signing-agent/agent.sock';
  const runtimeDir = absolute(env['XDG_RUNTIME_DIR']);
  return runtimeDir === null
    ? join(stateDir, 'agent.sock')
    : join(runtimeDir, 'signing-agent', 'agent.sock');
}

/** What a client connects to that was given no path: `$SIGNING_AGENT_SOCK`, else the agent's default. */
export function clientSocketPath(env: Environment, uid: number): string {
  const named = env['SIGNING_AGENT_SOCK'];
  if (named !== undefined && named !== '') return named;
  return defaultSocketPath(env, uid, defaultStateDir(env, uid));
}

/** The XDG base directory specification has relative paths ignored. */
function absolute(path: string | undefined): string | null {
  return path !== undefined && isAbsolute(path) ? path : null;
}
