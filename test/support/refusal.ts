import { AgentError } from '../../src/base/errors.ts';

/** The AgentError that a call rejects with; any other end of it is thrown. */
export async function refusalOf(call: Promise<unknown>): Promise<AgentError> {
  const thrown: unknown = await call.then(
    () => new Error('it was not refused'),
    (failure: unknown) => failure,
  );
  if (thrown instanceof AgentError) return thrown;
  throw thrown;
}
