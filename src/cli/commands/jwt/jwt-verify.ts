import { existsSync } from 'node:fs';
import type { JwtVerification } from '../../../api/jwt.ts';
import { formatDuration, parseDuration } from '../../../base/duration.ts';
import type { CompactJws, JwsFault } from '../../../formats/jose/compact-jws.ts';
import { CommandError, exitCodes, UsageError } from '../../shell/failure.ts';
import { maxSentMessageBytes, readInput } from '../../shell/message.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';
import { jsonText } from '../../shell/text.ts';
import { when } from '../../shell/when.ts';

export interface JwtVerifyOptions {
  readonly audience?: string;
  readonly clockSkew?: string;
  readonly jwks?: string;
  readonly typ?: string;
}

/** As the agent has it, seconds. */
const largestSkew = 600;

/**
 * `agentctl jwt verify`: asks the agent, or checks against a JWK Set and asks nobody. That a token does not verify is an
 * answer, on stdout, with an exit code of its own.
 */
export async function verifyToken(invocation: Invocation<JwtVerifyOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const skew = skewOf(options.clockSkew);
  if (options.jwks === '-' && isStdin(args[0])) {
    throw new UsageError('the token and the JWK Set cannot both come from stdin');
  }
  const token = await tokenIn(args[0], terminal);
  const [verification, checkedBy] =
    options.jwks === undefined
      ? [await askAgent(invocation, token, skew), `keyring ${globals.keyring ?? 'default'}`]
      : [await checkHere(invocation, token, skew, options.jwks), 'the JWK Set that was given'];
  report(invocation, verification, checkedBy);
  return verification.valid ? exitCodes.done : exitCodes.notVerified;
}

function skewOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseDuration(text);
  if (seconds !== null && seconds <= largestSkew) return seconds;
  const most = formatDuration(largestSkew);
  throw new UsageError(`--clock-skew: not a duration of at most ${most}: ${text} (30s 2m)`);
}

function isStdin(given: string | undefined): boolean {
  return given === undefined || given === '-';
}

/** Three parts of base64 or, so that it is told what is wrong with it, something that was meant to be. */
const tokenForm = /^[\w+=-]+(\.[\w+=-]*){2,4}$/;

async function tokenIn(given: string | undefined, terminal: Terminal): Promise<string> {
  if (given !== undefined && !isStdin(given) && !existsSync(given)) {
    if (tokenForm.test(given)) return given;
    // Not repeated: it may be a token all the same, and a secret.
    throw new UsageError('what was given is neither a file that is there nor a token');
  }
  return (await readInput(given, terminal, maxSentMessageBytes)).toString('utf8').trim();
}

async function askAgent(
  { globals, options }: Invocation<JwtVerifyOptions>,
  token: string,
  skew: number | undefined,
): Promise<JwtVerification> {
  const answer = await ask<Record<string, unknown>>(globals, 'jwt_verify', {
    keyring: globals.keyring,
    token,
    audience: options.audience,
    typ: options.typ,
    clock_skew_seconds: skew,
  });
  if (isYes(answer) || isNo(answer)) return answer;
  throw new CommandError('the agent did not say whether the token is valid');
}

/** Anything but a clear yes or no is a failure: "valid" is not said because of a stray value. */
function isYes(answer: object): answer is Extract<JwtVerification, { valid: true }> {
  const { valid, kid, expires_at } = answer as Record<string, unknown>;
  return valid === true && typeof kid === 'string' && typeof expires_at === 'string';
}

function isNo(answer: object): answer is Extract<JwtVerification, { valid: false }> {
  const { valid, rule, reason } = answer as Record<string, unknown>;
  return valid === false && typeof reason === 'string' && typeof rule === 'string';
}

async function checkHere(
  { terminal, options }: Invocation<JwtVerifyOptions>,
  token: string,
  skew: number | undefined,
  jwks: string,
): Promise<JwtVerification> {
  const { readJwksFile } = await import('./jwks-file.ts');
  const { keys, passedOver } = await readJwksFile(jwks, terminal);
  const { readCompactJws } = await import('../../../formats/jose/compact-jws.ts');
  const { verifyJwt } = await import('../../../formats/jose/jwt-verification.ts');
  const audience = options.audience ?? null;
  const verification = await verifyJwt(token, keys, {
    now: terminal.now(),
    audience,
    skewSeconds: skew ?? 0,
    typ: options.typ ?? null,
  });
  if (verification.valid || verification.rule !== 'kid') return verification;
  const why = passedOver.get(kidIn(readCompactJws(token)) ?? '');
  return why === undefined
    ? verification
    : { ...verification, reason: `${verification.reason} (${why})` };
}

/** The kid that the header names. */
function kidIn(jws: CompactJws | JwsFault): string | null {
  const kid = 'rule' in jws ? null : jws.header['kid'];
  return typeof kid === 'string' ? kid : null;
}

function report(
  { terminal, globals }: Invocation<JwtVerifyOptions>,
  verification: JwtVerification,
  checkedBy: string,
): void {
  const output = new Output(terminal);
  if (globals.json) {
    output.json(verification);
  } else if (verification.valid) {
    const { kid, claims, expires_at } = verification;
    output.line({ text: 'valid', style: 'green' }, `: signed by ${kid} (${checkedBy})`);
    output.table([
      ['expires', when(expires_at, terminal.now())],
      ['claims', jsonText(claims)],
    ]);
  } else {
    const { rule, reason } = verification;
    output.line({ text: 'not valid', style: 'red' }, `: ${reason} (rule ${rule}, ${checkedBy})`);
  }
}
