import type { AgentClient } from '../../client/agent-client.ts';
import { connect } from '../../client/connect.ts';
import { ConnectionError } from '../../client/connection-error.ts';
import { AgentError } from '../../errors.ts';
import { unlockCommand } from '../../keyring/locked.ts';
import type { AgentStatus, KeyringStatus } from '../../protocol/status.ts';
import { failure, ok, warning, type Finding } from './finding.ts';

/** Milliseconds, for the connection and for the answer. */
const patience = 3000;

/**
 * What the agent at this socket says of its keyrings. `wanted`: this one alone; null: every one. `pid`: of the agent
 * that holds the state dir; null where it is not known.
 */
export async function checkHealth(
  socket: string,
  wanted: string | null,
  pid: number | null,
): Promise<readonly Finding[]> {
  let client: AgentClient | null = null;
  try {
    client = await connect({ socket, timeoutMs: patience });
    return judgeHealth(await client.status(), wanted, pid);
  } catch (thrown) {
    return [notTold(thrown)];
  } finally {
    await client?.close();
  }
}

export function judgeHealth(
  { agent, keyrings }: AgentStatus,
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
  return keyrings.filter(({ name }) => wanted === null || name === wanted).map(healthOf);
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
