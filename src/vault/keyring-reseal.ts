import { AgentError } from '../base/errors.ts';
import type { World } from '../base/world.ts';

/** Sealing the key that a device keeps for a keyring anew: for another PIN, another state of the device, another device. */
export interface ResealRequest {
  /** How that key comes out: by the device, with the PIN until now (null: none), or by an age identity. */
  readonly from:
    | { readonly by: 'device'; readonly pin: Buffer | null }
    | { readonly by: 'identity'; readonly identities: readonly string[] };
  /** From now on; null where the configuration has none. Wiped before the work settles, as the one until now is. */
  readonly pin: Buffer | null;
}

export type ResealWorld = Pick<
  World,
  'now' | 'pause' | 'randomBytes' | 'files' | 'testPoint' | 'log'
>;

export interface Resealed {
  /** What it was sealed to, for people; null where nothing said so any more. */
  readonly before: string | null;
  readonly after: string;
  /** The keys come from another device, or from before this one was cleared. */
  readonly moved: boolean;
  /** Who can open the copy of the key for recovery, an age recipient; null: nobody. */
  readonly recovery: string | null;
  /** What else an operator has to know, a line each. */
  readonly notes: readonly string[];
}

/** The PIN until now, where one is needed and none was given. */
export class OldPinNeeded extends AgentError {
  constructor(keyring: string) {
    super(
      'locked',
      `the key of keyring ${keyring} is sealed with a PIN, which is needed to open it`,
    );
  }
}
