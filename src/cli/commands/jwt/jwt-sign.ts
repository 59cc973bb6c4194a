import type { JsonObject, SignedJwt } from '../../../api/jwt.ts';
import { parseDuration } from '../../../base/duration.ts';
import { readJsonObject } from '../../../formats/jose/json-object.ts';
import { CommandError, exitCodes, UsageError } from '../../shell/failure.ts';
import { maxSentMessageBytes, readInput } from '../../shell/message.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';

export interface JwtSignOptions {
  readonly ttl: string;
  readonly claims?: string;
  readonly audience?: readonly string[];
  readonly subject?: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly typ?: string;
  readonly out?: string;
}

const tokenForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** `agentctl jwt sign`: the token alone, on stdout or in a file. */
export async function signToken(invocation: Invocation<JwtSignOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { audience = [], subject, kid, alg, typ, out } = options;
  const ttl = parseDuration(options.ttl);
  if (ttl === null) throw new UsageError(`--ttl: not a duration: ${options.ttl} (90s 15m 24h 7d)`);
  const result = await ask<SignedJwt>(globals, 'jwt_sign', {
    keyring: globals.keyring,
    kid,
    claims: options.claims === undefined ? undefined : await claimsIn(options.claims, terminal),
    ttl_seconds: ttl,
    audience: audience.length > 1 ? audience : audience[0],
    subject,
    alg,
    typ,
  });
  const { token, ...shown } = result;
  if (!tokenForm.test(token)) throw new CommandError('what the agent answered is no token');
  const output = new Output(terminal);
  if (out !== undefined && out !== '-') {
    const { writePrivateFile } = await import('../../shell/write-private-file.ts');
    writePrivateFile(out, `${token}\n`, { replace: true });
    if (globals.json) output.json(shown);
  } else if (globals.json) output.json(result);
  else output.line(token);
  return exitCodes.done;
}

/** Strictly, since a name that stands twice would be sent once, and nobody would notice. */
async function claimsIn(path: string, terminal: Terminal): Promise<JsonObject> {
  const read = readJsonObject(await readInput(path, terminal, maxSentMessageBytes));
  if ('object' in read) return read.object;
  throw new UsageError(`--claims: ${path === '-' ? 'stdin' : path} ${read.fault}`);
}
