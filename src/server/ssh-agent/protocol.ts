import type { Asked, Protocol } from '../../request/protocol.ts';
import { extensions, failure, requestTypes } from './messages.ts';
import { sshAgentMethods } from './methods.ts';
import type { AgentCall, SshAgent } from './session.ts';
import { NamedKeys } from './named-keys.ts';
import { SessionBinds } from './session-binds.ts';
import { SshFormatError, SshReader } from '../../formats/ssh/wire.ts';

type MethodName = keyof typeof sshAgentMethods;

const byType: ReadonlyMap<number, MethodName> = new Map([
  [requestTypes.requestIdentities, 'ssh_list'],
  [requestTypes.signRequest, 'ssh_sign'],
  [requestTypes.lock, 'ssh_lock'],
  [requestTypes.unlock, 'ssh_unlock'],
]);
const byExtension: ReadonlyMap<string, MethodName> = new Map([
  [extensions.query, 'ssh_query'],
  [extensions.sessionBind, 'ssh_session_bind'],
]);

interface AgentRequest extends Asked<Buffer> {
  readonly params: AgentCall;
}

/**
 * One connection of the SSH agent. Whatever is refused, and every message that is not known here, is answered
 * SSH_AGENT_FAILURE: keys come from keyrings and from nowhere else, so that none is added or removed.
 */
export function agentProtocol(agent: SshAgent): Protocol<AgentRequest, Buffer, Buffer> {
  const keys = new NamedKeys();
  const binds = new SessionBinds();
  return {
    decode(frame) {
      const body = new SshReader(frame);
      const name = methodName(body);
      if (name === null) {
        agent.log.debug({ type: frame[0] }, 'refused: the SSH agent has no such request');
        return { refusal: failure };
      }
      return {
        request: { name, method: sshAgentMethods[name], params: { body, agent, keys, binds } },
      };
    },
    result: (_request, answer) => answer,
    error: () => failure,
  };
}

/** null for a request that there is not, or that does not say what it is. */
function methodName(body: SshReader): MethodName | null {
  try {
    const type = body.byte();
    if (type !== requestTypes.extension) return byType.get(type) ?? null;
    return byExtension.get(body.text()) ?? null;
  } catch (error) {
    if (error instanceof SshFormatError) return null;
    throw error;
  }
}
