import type * as z from 'zod';
import { methodCatalogue } from '../../api/methods.ts';
import type { Method } from '../method.ts';
import { keyringMethods } from './keyring-methods.ts';

const entry = keyringMethods.sign;

/** The params of `sign`, as its schema leaves them. */
export type ParamsAsRead = z.output<typeof entry.params>;

/** `sign` itself, but for its schema: of params that a protocol has read to what the schema would make of them. */
export const checkedSign: Method = {
  scope: entry.scope,
  reach: entry.reach,
  beforeCredential: entry.beforeCredential,
  isUrgent: entry.isUrgent,
  effect: methodCatalogue.sign.effect,
  check: (params) => entry.checked(params as ParamsAsRead),
};

/** Where no keyring is named. */
export const usualKeyring = entry.params.parse({ message_b64: '' }).keyring;
