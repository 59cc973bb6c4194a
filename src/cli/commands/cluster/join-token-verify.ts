import type { JoinClaims, JoinTokenVerdict } from '../../../api/join-tokens.ts';
import { inGroups } from '../../../base/fingerprint.ts';
import { CommandError, exitCodes } from '../../shell/failure.ts';
import { readJoinToken } from './join-token-input.ts';
import { Output, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

/** `agentctl join-token verify TOKEN`: that a token does not hold is an answer, with an exit code of its own. */
export async function verifyJoinToken(invocation: Invocation): Promise<number> {
  const { terminal, globals, args } = invocation;
  const token = await readJoinToken(args[0] ?? '-', terminal);
  const verdict = await ask<JoinTokenVerdict>(globals, 'join_token_verify', { token });
  // Anything but a clear yes or no is a failure: "valid" is not said because of a stray value.
  if (typeof verdict.valid !== 'boolean' || verdict.valid === (verdict.rule !== undefined)) {
    throw new CommandError('the agent did not say whether the token is valid');
  }
  const output = new Output(terminal);
  if (globals.json) output.json(verdict);
  else report(output, verdict, terminal.now());
  return verdict.valid ? exitCodes.done : exitCodes.notVerified;
}

function report(output: Output, verdict: JoinTokenVerdict, now: number): void {
  const { valid, rule, reason, claims } = verdict;
  if (valid) output.line({ text: 'valid', style: 'green' }, `: ${signerText(verdict)}`);
  else output.line({ text: 'not valid', style: 'red' }, `: ${rule ?? ''}: ${reason ?? ''}`);
  if (verdict.ca_fingerprint !== undefined) {
    output.line(`by the CA with SHA-256 ${inGroups(verdict.ca_fingerprint)}`);
  }
  if (claims !== undefined) output.table(rows(claims, now));
}

function signerText({ kid, via, cluster_domain }: JoinTokenVerdict): string {
  const signed = `signed by ${kid ?? '?'}`;
  return via === 'federated'
    ? `${signed} of ${cluster_domain ?? '?'}`
    : `${signed}, a key of this agent`;
}

function rows(claims: JoinClaims, now: number): readonly (readonly Cell[])[] {
  return [
    ['api endpoint', claims.api_endpoint],
    ['raft endpoint', claims.raft_endpoint],
    ['leader key', claims.leader_wg_pubkey],
    ['overlay', claims.overlay_cidr],
    ['issuer', claims.iss],
    ['issued', when(claims.iat, now)],
    ['expires', when(claims.exp, now)],
  ];
}
