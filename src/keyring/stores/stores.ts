import type { OpenStore } from '../record-store.ts';
import { Sidecar } from '../sidecar/sidecar.ts';

/** One entry a store of key records. What each of them has to do is in RecordStore. */
export const stores = {
  sidecar: (path, owner, files, requireSeal) => new Sidecar(path, owner, files, requireSeal),
} satisfies Readonly<Record<string, OpenStore>>;
