import type { CallOptions } from '../../client/call-options.ts';
import { ConnectionError } from '../../client/connection-error.ts';
import { AgentError } from '../../base/errors.ts';
import type { GlobalOptions } from './terminal.ts';

/**
 * One call on the command's connection, with the wire's own result, so that `--json` prints exactly that.
 * `undefined` among the params is left out on the wire.
 */
export async function ask<Result>(
  globals: GlobalOptions,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  limits: CallOptions = {},
): Promise<Result> {
  const { apiKey, session } = globals;
  await apiKey?.(); // one that cannot be read is said first, whether an agent runs or not
  const client = await session.client(globals);
  return (await client.call(method, params, limits)) as Result;
}

/** `ask` for a method that takes a message, in that member: where it is too large, the failure says so in its terms. */
export async function askAbout<Result>(
  message: Buffer,
  globals: GlobalOptions,
  method: string,
  params: Readonly<Record<string, unknown>>,
  member = 'message_b64',
): Promise<Result> {
  const encoded = { [member]: message.toString('base64url') };
  try {
    return await ask<Result>(globals, method, { ...params, ...encoded });
  } catch (error) {
    const size = `the message has ${message.length} bytes`;
    if (error instanceof AgentError && error.kind === 'too_large') {
      const why = `${size}, and in base64 that is too large: ${error.message}`;
      throw new AgentError('too_large', why, { details: error.details, cause: error });
    }
    // An agent hangs up on a frame over its limit; what it says before may get lost with the connection.
    if (
      error instanceof ConnectionError &&
      error.reason === 'lost' &&
      message.length > usualLimit
    ) {
      const why = `${error.message}; ${size}, perhaps more than the agent takes`;
      throw new ConnectionError('lost', why, { cause: error });
    }
    throw error;
  }
}

/** Bytes whose base64 still fits into the frame that an agent takes unless it is set otherwise. */
const usualLimit = 195 * 1024;
