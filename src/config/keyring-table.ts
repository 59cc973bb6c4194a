import * as z from 'zod';
import type { AlgorithmName } from '../api/signing-backend.ts';
import { algorithmNames } from '../algorithms/algorithm-names.ts';
import { backendNames, keysOf, kindOf, type GivenKeys } from '../vault/kinds/kinds.ts';
import { KindTable } from './kind-table.ts';
import { faultOfJwtAlg, jwtTable } from './jwt.ts';
import { purposesField } from './purposes.ts';
import { rotationTable } from './rotation.ts';

const common = {
  algorithm: z.enum(Object.keys(algorithmNames) as [AlgorithmName]).default('ed25519'),
  require: z.enum(['software', 'hardware-wrapped', 'hardware']).default('software'),
  optional: z.boolean().default(false),
  rotation: rotationTable.optional(),
  purposes: purposesField,
  prune: z.boolean().default(true),
  jwt: jwtTable.optional(),
};

/** What is compared with the kind: read already, and the same when it is read again. */
const checked = z.object({
  algorithm: common.algorithm,
  jwt: z.object({ alg: jwtTable.shape.alg }).optional(),
});

/** As it was read. */
export type KeyringConfig = z.output<z.ZodObject<typeof common>> & GivenKeys;

/** `[keyrings.NAME]` */
export const keyringTable = new KindTable<KeyringConfig>({
  by: 'backend',
  common,
  kinds: new Map(backendNames.map((backend) => [backend, keysOf(backend).keys])),
  check: (backend, given) => {
    const { algorithm, jwt } = checked.parse(given);
    const { algorithms, otherAlgorithm } = kindOf({ backend });
    if (!algorithms.includes(algorithm)) return [{ path: ['algorithm'], message: otherAlgorithm }];
    const otherAlg = faultOfJwtAlg(algorithm, jwt?.alg);
    return otherAlg === null ? [] : [{ path: ['jwt', 'alg'], message: otherAlg }];
  },
  owner: (backends) => `a ${backends.join(' or ')} keyring`,
});
