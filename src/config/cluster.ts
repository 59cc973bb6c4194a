import * as z from 'zod';
import { backendNames, keysOf, kindOf, type GivenKeysOfCa } from '../vault/kinds/kinds.ts';
import { duration } from './fields.ts';
import { KindTable } from './kind-table.ts';

const common = {
  domain: z
    .string()
    .min(1)
    .max(253)
    .refine((text) => !/[\p{Cc}\p{Cs}\s]/u.test(text), 'must be one word, such as prod.example'),
  keyring: z.string().default('default'),
  longest_join_token: duration
    .refine((seconds) => seconds > 0, 'must be 1s or longer')
    .default(7 * 24 * 3600),
};

/** As it was read. */
export type ClusterConfig = z.output<z.ZodObject<typeof common>> & GivenKeysOfCa;

/** `[cluster]` */
export const clusterTable = new KindTable<ClusterConfig>({
  by: 'ca_backend',
  common,
  kinds: new Map(
    backendNames
      .filter((backend) => kindOf({ backend }).ca !== null)
      .map((backend) => [backend, keysOf(backend).keysOfCa]),
  ),
  owner: (backends) => `ca_backend = ${backends.map((name) => `"${name}"`).join(' or ')}`,
});
