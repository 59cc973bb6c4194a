import type { AgentClient } from '../../client/agent-client.ts';
import type { ApiKeySource } from '../../client/secret.ts';

/** The global flags that say which agent is asked, and as whom. */
interface Reached {
  readonly socket?: string | undefined;
  readonly apiKey?: ApiKeySource | undefined;
  readonly agentUser?: string | undefined;
}

/**
 * The connection that one command asks the agent on, however many questions it has. It is made when the first is asked,
 * and a command that asks nothing makes none.
 */
export class AgentSession {
  #client: { readonly socket: string | undefined; readonly made: Promise<AgentClient> } | null =
    null;
  readonly #answers = new Map<string, Promise<unknown>>();

  /** `socket` undefined: the agent's own place. Rejects as `connect` does, and the next call tries again. */
  async client({ socket, apiKey, agentUser }: Reached): Promise<AgentClient> {
    if (this.#client !== null && this.#client.socket !== socket) await this.close();
    const client = (this.#client ??= { socket, made: connected({ socket, apiKey, agentUser }) });
    try {
      return await client.made;
    } catch (failure) {
      if (this.#client === client) this.#client = null;
      throw failure;
    }
  }

  /** What one question came to, however often the command has it. A failure is asked again. */
  async once<T>(question: string, ask: () => Promise<T>): Promise<T> {
    const answer = (this.#answers.get(question) as Promise<T> | undefined) ?? ask();
    this.#answers.set(question, answer);
    try {
      return await answer;
    } catch (failure) {
      this.#answers.delete(question);
      throw failure;
    }
  }

  /** Never rejects. */
  async close(): Promise<void> {
    const client = await this.#client?.made.catch(() => null);
    this.#client = null;
    await client?.close();
  }
}

/** Loaded when it is needed: a command that asks nobody starts without it. */
async function connected(reached: Reached): Promise<AgentClient> {
  const { connect } = await import('../../client/connect.ts');
  return connect(reached);
}
