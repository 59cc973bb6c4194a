import type * as z from 'zod';
import type { ParamsOf, ResultOf } from '../../api/method-types.ts';
import { methodCatalogue, type MethodName } from '../../api/methods.ts';
import { agentMethods } from './agent-methods.ts';
import { apiKeyMethods } from './api-key-methods.ts';
import { backupMethods } from './backup-methods.ts';
import { clientKeyMethods } from './client-key-methods.ts';
import { formatMethods } from './format-methods.ts';
import { jwtMethods } from './jwt-methods.ts';
import { clusterMethods } from './cluster-methods.ts';
import { joinTokenMethods } from './join-token-methods.ts';
import { keyringMethods } from './keyring-methods.ts';
import type { Method, MethodEntry } from '../method.ts';
import { trustMethods } from './trust-methods.ts';

/** Every method of the catalogue, with the result that callers are promised. */
type Entries = {
  readonly [Name in MethodName]: MethodEntry<z.ZodObject, ResultOf<Name>>;
};

/** `never` for a name that the catalogue does not have, and for params that are not those that callers give. */
type Promised<Table> = {
  readonly [Name in keyof Table]: Name extends MethodName
    ? Table[Name] extends MethodEntry<z.ZodObject<infer Shape>>
      ? IsSame<keyof Shape, keyof ParamsOf<Name>> extends true
        ? z.input<z.ZodObject<Shape>> extends ParamsOf<Name>
          ? Table[Name]
          : never
        : never
      : never
    : never;
};
type IsSame<A, B> = [A, B] extends [B, A] ? true : false;

/** The table as it is written: with params and purposes too. */
export const entries = promised({
  ...keyringMethods,
  ...formatMethods,
  ...jwtMethods,
  ...agentMethods,
  ...apiKeyMethods,
  ...clientKeyMethods,
  ...backupMethods,
  ...clusterMethods,
  ...trustMethods,
  ...joinTokenMethods,
});

/** Every method of the socket. Nothing else can be called. */
export const methods: ReadonlyMap<string, Method> = new Map(
  (Object.keys(methodCatalogue) as MethodName[]).map((name) => {
    const { scope, reach, beforeCredential, isUrgent, check } = entries[name];
    const { effect } = methodCatalogue[name];
    return [name, { scope, reach, beforeCredential, isUrgent, check, effect }];
  }),
);

/** A table that does not have exactly the methods of the catalogue does not compile here. */
function promised<Table extends Entries>(table: Table & Promised<Table>): Entries {
  return table;
}
