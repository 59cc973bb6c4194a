import type { ExaminedRecords } from '../../../keyring/record-store.ts';
import { describeFault, type SealFault } from '../../../keyring/seal/seal.ts';
import type { Cell } from '../../shell/output.ts';

/** What the seal says of key records, and what was said to that. */
export interface SealReport {
  /** `none`: nothing on either side that could say anything. */
  readonly found: 'newest' | 'none' | SealFault['fault'];
  /** Completes "the sidecar ", or what the store is called. */
  readonly text: string;
  readonly counter: number | null;
  readonly tokenCounter: number | null;
  /** A fault was accepted knowingly. */
  readonly accepted: boolean;
}

export function sealOf(
  {
    records,
    fault,
    provedCounter,
    token,
  }: Pick<ExaminedRecords, 'records' | 'fault' | 'provedCounter' | 'token'>,
  accepted: boolean,
): SealReport {
  const tokenCounter = token?.counter ?? null;
  if (fault !== null) {
    const { fault: found, counter } = fault;
    return { found, text: describeFault(fault), counter, tokenCounter, accepted };
  }
  const common = { counter: provedCounter, tokenCounter, accepted: false };
  if (provedCounter !== null) {
    return { ...common, found: 'newest', text: `is the newest (counter ${provedCounter})` };
  }
  if (records.found !== 'readable') {
    const text =
      tokenCounter === null ? 'none in the token' : `in the token, counter ${tokenCounter}`;
    return { ...common, found: 'none', text };
  }
  const text =
    tokenCounter === null
      ? 'has none, nor has the token: the next start makes one where the token can keep it'
      : `has none yet; the token has one (counter ${tokenCounter})`;
  return { ...common, found: 'none', text };
}

/** Whether the agent refuses the records as they are, and nobody has accepted them. */
export function isRefused({ found, accepted }: SealReport): boolean {
  return found !== 'newest' && found !== 'none' && !accepted;
}

export function sealCell(seal: SealReport): Cell {
  if (seal.found === 'newest' || seal.found === 'none') return seal.text;
  return {
    text: `${seal.text}${seal.accepted ? '; accepted' : ''}`,
    style: seal.accepted ? 'yellow' : 'red',
  };
}

/** For `--json`. */
export function sealDocument({ found, counter, tokenCounter, accepted }: SealReport): unknown {
  return { found, counter, token_counter: tokenCounter, accepted };
}
