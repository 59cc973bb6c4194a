import type { OpenStore } from '../record-store.ts';
import { Sidecar } from '../sidecar/sidecar.ts';

/** One entry a store of key records. What each of them has to do is in RecordStore. */
export const stores = {
  sidecar: (place, owner, files) => new Sidecar(place, owner, files),
} satisfies Readonly<Record<string, OpenStore>>;
