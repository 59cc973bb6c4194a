import type { ParamsOf } from '../../../api/method-types.ts';
import type { MethodName } from '../../../api/methods.ts';
import type { ErrorKind } from '../../../base/errors.ts';

/** What is said of a method to people who write a client. */
export interface MethodText<Name extends MethodName = MethodName> {
  readonly summary: string;
  /** Params whose meaning `paramTexts` does not say, or says too broadly. */
  readonly params?: Readonly<Partial<Record<KeyOfEach<ParamsOf<Name>>, string>>>;
  /** The kinds that it may answer beside those that every method may. */
  readonly errors: readonly ErrorKind[];
}
type KeyOfEach<T> = T extends unknown ? keyof T : never;

/** Of every method of an area. */
export type MethodTexts<Names extends MethodName> = {
  readonly [Name in Names]: MethodText<Name>;
};

/** What may befall whatever asks a keyring. */
export const ofKeyring = ['not_found', 'locked', 'backend_unavailable'] as const;
/** What may befall whatever signs with a keyring, for a purpose that the caller may not have. */
export const ofSigning = ['unknown_kid', 'not_supported', ...ofKeyring] as const;
/** What may befall whatever asks the cluster. */
export const ofCluster = ['not_supported', 'locked', 'backend_unavailable'] as const;

/** Params that mean the same in every method. */
export const paramTexts: Readonly<Record<string, string>> = {
  keyring: 'Name of the keyring.',
  kid: 'The key, 8 hex digits; without it the active one.',
  message_b64: 'The message, of 0 bytes and up.',
  activate_after_seconds:
    'When it is meant to become active; without it the next rotate activates it.',
  replace: 'Also where there is one already, which it replaces.',
  actor:
    'Whose: a user (uid or login name) or an API key (its id). Without it the caller; for others one must be an admin.',
  typ: 'The typ of the header, a media type; without it JWT.',
};
