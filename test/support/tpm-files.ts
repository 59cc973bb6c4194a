import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenObject } from './token-objects.ts';

const label = 'signing-agent/default';

/** The files of the default keyring's folder, as a token would list its objects. */
export function keyFilesIn(stateDir: string): readonly TokenObject[] {
  const folder = join(stateDir, 'keyrings', 'default.tpm');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name): TokenObject[] => {
    const id = /^([0-9a-f]{32})\.(?:pem|seed\.json)$/.exec(name)?.[1];
    if (name === 'seal.json') return [{ kind: 'Data', label, id: '' }];
    if (id === undefined) return [];
    return [
      { kind: 'Private Key', label, id },
      { kind: 'Public Key', label, id },
    ];
  });
}
