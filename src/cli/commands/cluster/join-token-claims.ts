import { describeFailure } from '../../../base/errors.ts';
import { membersIn, writtenIn } from '../../../base/json-members.ts';
import { UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import type { Terminal } from '../../shell/terminal.ts';

/** The claims among the flags of `mint`, under commander's names. */
export interface ClaimFlags {
  readonly claims?: string;
  readonly apiEndpoint?: string;
  readonly raftEndpoint?: string;
  readonly leaderWgPubkey?: string;
  readonly overlayCidr?: string;
  readonly iss?: string;
  readonly iat?: string;
  readonly exp?: string;
}

/** What no token is without; the times are the agent's to say where they are left out. */
const needed = {
  api_endpoint: '--api-endpoint',
  raft_endpoint: '--raft-endpoint',
  leader_wg_pubkey: '--leader-wg-pubkey',
  overlay_cidr: '--overlay-cidr',
  iss: '--iss',
} as const;

/** Claims are a few hundred bytes. */
const mostBytes = 64 * 1024;

type Claims = Readonly<Record<string, unknown>>;

/** The claims of the flags, and for those that are not among them of the file. UsageError names what is missing. */
export async function claimsOf(flags: ClaimFlags, terminal: Terminal): Promise<Claims> {
  const named = {
    api_endpoint: flags.apiEndpoint,
    raft_endpoint: flags.raftEndpoint,
    leader_wg_pubkey: flags.leaderWgPubkey,
    overlay_cidr: flags.overlayCidr,
    iss: flags.iss,
    iat: flags.iat,
    exp: flags.exp,
  };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  const inFile = flags.claims === undefined ? {} : await claimsIn(flags.claims, terminal);
  const claims: Claims = { ...inFile, ...Object.fromEntries(given) };
  const missing = Object.entries(needed).filter(([name]) => !Object.hasOwn(claims, name));
  if (missing.length === 0) return claims;
  const flagsText = missing.map(([, flag]) => flag).join(', ');
  const names = missing.map(([name]) => name).join(', ');
  throw new UsageError(`these claims are missing: give ${flagsText}, or ${names} in --claims FILE`);
}

async function claimsIn(file: string, terminal: Terminal): Promise<Claims> {
  const text = (await readInput(file, terminal, mostBytes)).toString('utf8');
  const name = file === '-' ? 'stdin' : file;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    throw new UsageError(`${name} is not JSON: ${describeFailure(failure)}`, { cause: failure });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${name} is no JSON object with claims`);
  }
  if (membersIn(value, 1) !== writtenIn(text).members) {
    throw new UsageError(`${name}: claims are texts, each of them there once`);
  }
  return { ...value };
}
