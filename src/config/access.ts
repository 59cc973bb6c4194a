import * as z from 'zod';
import { quoted } from '../base/errors.ts';
import { common, inWords, type Purposes } from '../access/purposes.ts';
import type { AccessNames } from '../access/access-rules.ts';
import { nearest } from './nearest.ts';
import { purposesField } from './purposes.ts';

/** A user, `@` and a group, an id in decimal for either. Whether there is such a one is looked up later. */
const accountName = z
  .string()
  .regex(/^@?[^\s@*,:/]{1,256}$/u, 'must name a user, or a group after @, or be an id in decimal');
const everybody = z.literal('*');
const accounts = z.array(z.union([everybody, accountName]));
const limit = z.int().min(1).max(1_000_000);
const userId = z.int().min(0).transform(String);

/** `[[access.rules]]` */
const rule = z
  .strictObject({
    who: z.array(z.union([everybody, accountName, userId])).min(1, 'must name somebody'),
    scope: z.enum(['reader', 'app', 'admin']),
    keyrings: z.array(z.string()).min(1, 'must name one; left out: all').optional(),
    purposes: purposesField,
  })
  .refine(({ who, scope }) => scope !== 'admin' || !who.includes('*'), {
    path: ['who'],
    message: '"*" is everybody, and not everybody may be admin',
  });

/** `[access]` */
export const accessTable = z.strictObject({
  admins: z.array(accountName).default([]),
  apps: accounts.default([]),
  readers: accounts.default([]),
  rules: z.array(rule).default([]),
  max_signatures_per_second_per_uid: limit.optional(),
  max_signatures_per_second_per_key: limit.optional(),
  max_connections_per_key: limit.optional(),
  max_operations_per_second_per_uid: limit.optional(),
});

export type AccessConfig = z.output<typeof accessTable>;

/** Names that a mistyped key may have been meant as, in `[access]` or in one of its rules. */
export function knownAccessKeys(inRule: boolean): readonly string[] {
  return Object.keys(inRule ? rule.shape : accessTable.shape);
}

export function accessNames({ admins, apps, readers, rules }: AccessConfig): AccessNames {
  return {
    ...{ admins, apps, readers },
    rules: rules.map(({ who, scope, keyrings = null, purposes = null }) => ({
      ...{ who, scope, keyrings, purposes },
    })),
  };
}

/** What a rule says that no keyring of the configuration can mean. */
export function faultsOfRules(
  { rules }: AccessConfig,
  keyrings: ReadonlyMap<string, Purposes>,
): readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] {
  return rules.flatMap(({ keyrings: named, purposes = null }, at) => {
    const unknown = (named ?? []).flatMap((name, index) =>
      keyrings.has(name)
        ? []
        : [{ path: ['rules', at, 'keyrings', index], message: unknownKeyring(name, keyrings) }],
    );
    const own = [...keyrings].filter(([name]) => named?.includes(name) ?? true);
    const idle = [...(purposes ?? [])].filter(
      (one) => !own.some(([, bound]) => common(bound, new Set([one]))?.size !== 0),
    );
    if (unknown.length > 0 || idle.length === 0) return unknown;
    const there = own.map(([name, bound]) => `${name} has ${inWords(bound)}`).join('; ');
    const message = `no keyring of the rule has ${idle.join(', ')}: ${there}`;
    return [{ path: ['rules', at, 'purposes'], message }];
  });
}

function unknownKeyring(name: string, keyrings: ReadonlyMap<string, Purposes>): string {
  const names = [...keyrings.keys()];
  const meant = nearest(name, names);
  const hint = meant === null ? `there are: ${names.join(', ')}` : `did you mean ${meant}?`;
  return `there is no keyring ${quoted(name)}; ${hint}`;
}
