import type { AgentClient } from '../../../client/agent-client.ts';
import { connect } from '../../../client/connect.ts';
import { ConnectionError } from '../../../client/connection-error.ts';
import { AgentError } from '../../../base/errors.ts';
import { unlockCommand } from '../../../vault/pins/locked.ts';
import type { AgentStatus, KeyringStatus } from '../../../api/status.ts';
import type { KnownStatus } from '../status/known-status.ts';
import { failure, ok, warning, type Finding } from '../../../base/finding.ts';

/** Milliseconds, for the connection and for the answer. */
const patience = 3000;

/** What the agent is asked for. */
export interface HealthQuestion {
  /** This keyring alone; null: every one. */
  readonly wanted: string | null;
  /** Of the agent that holds the state dir; null where it is not known. */
  readonly pid: number | null;
  /** What it is asked with, see ConnectOptions; undefined: as the user. */
  readonly apiKey: (() => Promise<Buffer>) | undefined;
  readonly agentUser?: string | undefined;
}

/** What the agent at this socket says of its keyrings, access and audit. */
export async function checkHealth(
  socket: string,
  { wanted, pid, apiKey, agentUser }: HealthQuestion,
): Promise<readonly Finding[]> {
  let client: AgentClient | null = null;
  try {
    client = await connect({ socket, timeoutMs: patience, apiKey, agentUser });
    return judgeHealth(await client.status(), wanted, pid);
  } catch (thrown) {
    return [notTold(thrown)];
  } finally {
    await client?.close();
  }
}

export function judgeHealth(
  { agent, keyrings, access, audit }: KnownStatus,
  wanted: string | null,
  pid: number | null,
): readonly Finding[] {
  if (pid !== null && agent.pid !== pid) {
    return [
      warning(
        'health',
        `process ${agent.pid} answers at the socket, and process ${pid} holds this state dir: give the --socket of that one`,
      ),
    ];
  }
  const chosen = keyrings.filter(({ name }) => wanted === null || name === wanted);
  return [
    ...chosen.map(healthOf),
    ...(access ? accessOf(access) : []),
    ...(audit ? [auditOf(audit)] : []),
  ];
}

export function notTold(thrown: unknown): Finding {
  if (thrown instanceof AgentError) {
    const remedy =
      thrown.kind === 'forbidden' || thrown.kind === 'unauthenticated'
        ? "run doctor as the agent's user, or as one who may ask for status"
        : 'see its log';
    return warning('health', `the agent does not say how it is: ${thrown.message}: ${remedy}`);
  }
  if (!(thrown instanceof ConnectionError)) throw thrown;
  return warning(
    'health',
    `the agent did not say how it is: ${thrown.message}: look again, and where it stays so, restart the agent`,
  );
}

function accessOf({ warnings }: NonNullable<AgentStatus['access']>): readonly Finding[] {
  if (warnings.length === 0) return [ok('access', 'the agent that runs knows every name')];
  return warnings.map((text) => {
    const remedy = text.endsWith('after a restart')
      ? ''
      : '. Once it is corrected: agentctl reload';
    return warning('access', `in the agent that runs: ${text}${remedy}`);
  });
}

function auditOf({ enabled, health, last_error }: NonNullable<AgentStatus['audit']>): Finding {
  if (!enabled) return ok('audit', 'off in the agent that runs: [audit] turns it on');
  if (health === 'ok') return ok('audit', 'the agent that runs says ok');
  const said = last_error === null ? 'it does not say why' : last_error.message;
  return failure(
    'audit',
    `unavailable in the agent that runs, which signs and changes nothing until it can write again: ${said}. Make ` +
      'room, or correct the directory; it goes on by itself',
  );
}

function healthOf({ name, health, last_error }: KeyringStatus): Finding {
  const subject = `${name}: health`;
  const said = last_error === null ? 'it does not say why' : last_error.message;
  switch (health) {
    case 'ok':
      return ok(subject, 'the agent that runs says ok');
    case 'locked': {
      const command = unlockCommand(name);
      const text = `locked in the agent that runs: ${said}`;
      return warning(subject, text.includes(command) ? text : `${text}: ${command}`);
    }
    case 'unavailable':
      return failure(
        subject,
        `unavailable in the agent that runs: ${said}. Correct this (see the other lines of ${name}); where it stays so, ` +
          "restart the agent, and see the agent's log",
      );
  }
}
