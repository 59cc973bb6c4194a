import { readFileSync } from 'node:fs';
import { run } from './daemon.ts';
import type { SoftHsmToken } from './softhsm.ts';

const label = 'signing-agent/default';

/** What of a sidecar is compared with the token. */
export interface Sidecar {
  readonly keys: readonly { readonly id: string; readonly object_id: string }[];
  readonly revoked?: Readonly<Record<string, unknown>>;
  readonly pending?: readonly { readonly step: string; readonly object_id: string }[];
  readonly seal?: { readonly counter: number };
}

export interface TokenObject {
  /** `Private Key`, `Public Key` or `Data`. */
  readonly kind: string;
  readonly label: string;
  /** CKA_ID in hex. */
  readonly id: string;
}

/** Throws unless our objects are those that the sidecar records, whole, or has announced. */
export function compare(sidecar: Sidecar | null, all: readonly TokenObject[]): void {
  const objects = all.filter((object) => object.label === label);
  const revoked = sidecar?.revoked ?? {};
  const held = (sidecar?.keys ?? [])
    .filter(({ id }) => revoked[id] === undefined)
    .map(({ object_id }) => object_id);
  const announced = (sidecar?.pending ?? []).map(({ object_id }) => object_id);
  const keys = objects.filter(({ kind }) => kind !== 'Data');
  const strangers = keys.filter(({ id }) => !held.includes(id) && !announced.includes(id));
  if (strangers.length > 0) throw new Error(`in no record: ${JSON.stringify(strangers)}`);
  for (const id of held) {
    const halves = keys.filter((object) => object.id === id).map(({ kind }) => kind);
    if (halves.sort().join() === 'Private Key,Public Key') continue;
    throw new Error(`of key ${id} the token has: ${halves.join()}`);
  }
  if (sidecar?.seal !== undefined && keys.length === objects.length) {
    throw new Error('the sidecar is sealed, and the token has no seal');
  }
}

/** As OpenSC sees it, which shares no code with the agent. */
export async function objectsInToken(token: SoftHsmToken): Promise<readonly TokenObject[]> {
  const pin = readFileSync(token.pinFile, 'utf8').trim();
  const { code, out, err } = await run(
    'pkcs11-tool',
    [
      ...['--module', token.modulePath, '--token-label', 'test'],
      ...['--login', '--pin', 'env:PIN', '--list-objects'],
    ],
    '',
    { ...token.environment, PIN: pin },
  );
  if (code !== 0) throw new Error(`pkcs11-tool: ${err}`);
  return out
    .split(/^(?=\S)/m)
    .filter((block) => block !== '')
    .map((block) => ({
      kind: /^(Private Key|Public Key|Data)/i.exec(block)?.[1] ?? block,
      label: /^ +label: +'?(.*?)'?$/m.exec(block)?.[1] ?? '',
      id: /^ +ID: +(\S*)/m.exec(block)?.[1] ?? '',
    }));
}
