import type { MintedJoinToken } from '../../../api/join-tokens.ts';
import { parseDuration } from '../../../base/duration.ts';
import { compareTimes, parseTime } from '../../../base/rfc3339.ts';
import { lstatOrNull } from '../../../files/ownership.ts';
import { CommandError, exitCodes, UsageError } from '../../shell/failure.ts';
import { claimsOf, type ClaimFlags } from './join-token-claims.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';
import { writePrivateFile } from '../../shell/write-private-file.ts';

export interface MintOptions extends ClaimFlags {
  readonly ttl?: string;
  readonly federated?: true;
  readonly out?: string;
}

/** `agentctl join-token mint`: the token on stdout, or in a file of its own. */
export async function mintJoinToken(invocation: Invocation<MintOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { out, federated } = options;
  const ttl_seconds = options.ttl === undefined ? undefined : secondsOf(options.ttl);
  if (out !== undefined) refuseExisting(out);
  const claims = await claimsOf(options, terminal);
  const params = { claims, ttl_seconds, federated };
  const minted = await ask<MintedJoinToken>(globals, 'join_token_mint', params);
  const { token, ...shown } = minted;
  if (out !== undefined) writePrivateFile(out, `${token}\n`, { replace: false });
  warnOfCertificate(minted, terminal);
  const output = new Output(terminal);
  if (globals.json) output.json(out === undefined ? minted : shown);
  else if (out === undefined) output.line(token);
  else output.line(`written to ${out}; it expires ${when(minted.expires_at, terminal.now())}`);
  return exitCodes.done;
}

function secondsOf(text: string): number {
  const seconds = parseDuration(text);
  if (seconds !== null && seconds > 0) return seconds;
  throw new UsageError(`--ttl: not a duration: ${text} (90s 15m 24h 7d)`);
}

function refuseExisting(path: string): void {
  if (lstatOrNull(path) === null) return;
  throw new CommandError(`${path} is there already, and is never overwritten: name a new file`);
}

function warnOfCertificate(minted: MintedJoinToken, terminal: Terminal): void {
  const { chain_expires_at: certificate, expires_at } = minted;
  const [first, second] = [certificate, expires_at].map((time) => parseTime(time ?? ''));
  if (certificate === undefined || !first || !second || compareTimes(first, second) >= 0) return;
  const until = when(certificate, terminal.now());
  terminal.stderr.write(`In other clusters it ends with its certificate, ${until}.\n`);
}
