import { userInfo } from 'node:os';
import { AgentError } from './errors.ts';
import { isAbsolute, join } from 'node:path';

/**
 * Where the agent keeps its state and listens when nobody says otherwise (docs/protocol.md): one place
 * for the agent and its clients, so that they find each other. Nothing here touches the file system.
 */

/** Environment variables by name; an empty one counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `$STATE_DIRECTORY`, which a service manager sets (`StateDirectory=` in systemd.exec(5)); else `/var/lib/signing-agent`
 * for root; else `$XDG_STATE_HOME/signing-agent`, or `~/.local/state/signing-agent` where that variable is unset or
 * relative. Throws NoHomeError.
 */
export function defaultStateDir(env: Environment, uid: number): string {
  const ofService = firstOf(env['STATE_DIRECTORY']);
  if (ofService !== null) return ofService;
  if (uid === 0) return '/var/lib/signing-agent';
  const stateHome = absolute(env['XDG_STATE_HOME']);
  return join(stateHome ?? join(homeDir(env), '.local', 'state'), 'signing-agent');
}

/** This user has no home directory, and nobody said where else the state dir is. */
export class NoHomeError extends AgentError {
  constructor(env: Environment) {
    const said = env['HOME'];
    const home =
      said === undefined || said === '' ? 'HOME is not set' : `HOME is relative (${said})`;
    super(
      'not_found',
      `${home}, and the account database has no home directory of this user: name the state dir (--state-dir), ` +
        'or give HOME or XDG_STATE_HOME an absolute path',
    );
  }
}

/**
 * `$HOME`, where it is an absolute path, else what the account database says: a path that depends on where a program
 * is started would be another state dir each time. Throws NoHomeError.
 */
export function homeDir(env: Environment): string {
  const home = absolute(env['HOME']) ?? absolute(accountHome());
  if (home !== null) return home;
  throw new NoHomeError(env);
}

/** `os.homedir` would answer `$HOME`, whatever it is. */
function accountHome(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    return undefined; // there is no entry of this user
  }
}

/** Of the agent that is installed for all users of the machine. */
const systemSocket = '/run/signing-agent/agent.sock';

/**
 * `agent.sock` in `$RUNTIME_DIRECTORY`, which a service manager sets; else `/run/signing-agent/agent.sock` for root; else
 * `$XDG_RUNTIME_DIR/signing-agent/agent.sock`, or `agent.sock` in the state dir where there is no runtime dir.
 */
export function defaultSocketPath(env: Environment, uid: number, stateDir: () => string): string {
  const ofService = firstOf(env['RUNTIME_DIRECTORY']);
  if (ofService !== null) return join(ofService, 'agent.sock');
  if (uid === 0) return systemSocket;
  const runtimeDir = absolute(env['XDG_RUNTIME_DIR']);
  return runtimeDir === null
    ? join(stateDir(), 'agent.sock')
    : join(runtimeDir, 'signing-agent', 'agent.sock');
}

/**
 * What a client connects to that was given no path: `$SIGNING_AGENT_SOCK`; else the default of an agent of this user;
 * where this user never had one, neither its socket nor its state dir being there, that of the agent that is installed
 * for all. One that is only stopped is not replaced by another, which has other keys.
 */
export function clientSocketPath(
  env: Environment,
  uid: number,
  isThere: (path: string) => boolean,
): string {
  const named = env['SIGNING_AGENT_SOCK'];
  if (named !== undefined && named !== '') return named;
  const own = defaultSocketPath(env, uid, () => defaultStateDir(env, uid));
  if (isThere(own) || !isThere(systemSocket)) return own;
  return hasStateDir(env, uid, isThere) ? own : systemSocket;
}

function hasStateDir(env: Environment, uid: number, isThere: (path: string) => boolean): boolean {
  try {
    return isThere(defaultStateDir(env, uid));
  } catch (failure) {
    if (failure instanceof NoHomeError) return false; // nowhere to have one
    throw failure;
  }
}

/** systemd joins several by colons. */
function firstOf(paths: string | undefined): string | null {
  return absolute(paths?.split(':')[0]);
}

/** The XDG base directory specification has relative paths ignored. */
function absolute(path: string | undefined): string | null {
  return path !== undefined && isAbsolute(path) ? path : null;
}
