import { dirname, resolve } from 'node:path';
import { faultOnPath, type PathFault } from '../native/path-owners.ts';
import { effectiveUid, fileFailure, refusal } from './ownership.ts';

/**
 * Refuses what other users could have put there or could put another in place of, see `faultOnPath`. Throws AgentError
 * naming what is wrong and the remedy. `uid`: this user.
 */
export function requireTrustedPath(path: string, uid = effectiveUid()): void {
  const fault = look(path, uid);
  if (fault === null) return;
  throw refusal(fault.path, fault.reason);
}

/** As `requireTrustedPath`, of the directories above it alone: what is there is for others to look at. */
export function requireTrustedParents(path: string): void {
  requireTrustedPath(dirname(resolve(path)));
}

function look(path: string, uid: number): PathFault | null {
  try {
    return faultOnPath(path, uid);
  } catch (failure) {
    throw fileFailure(path, 'examine', failure);
  }
}
