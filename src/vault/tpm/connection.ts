import { u32 } from '../../formats/tpm/bytes.ts';
import { CAP, CC, HT } from '../../formats/tpm/constants.ts';
import { readHandles } from '../../formats/tpm/capability.ts';
import type { LoadedObjects } from './loaded-objects.ts';
import type { TpmSession } from './session.ts';
import { flush, fulfilPolicy, startSession } from './sessions.ts';
import { findStorageRoot, type StorageRoot } from './storage-root.ts';
import type { Authorization, Tpm } from './tpm.ts';
import type { DeviceWorld } from './tpm-world.ts';

/** A TPM and what is loaded in it. */
export interface TpmLine {
  readonly tpm: Tpm;
  readonly objects: LoadedObjects;
}

/** What may be loaded by nobody else, and is not loaded any more when the connection ends. */
const volatileKinds = [HT.TRANSIENT, HT.HMAC_SESSION, HT.POLICY_SESSION];

/** A TPM with one storage root key, and a session salted to it that speaks for whatever has no policy. */
export class TpmConnection {
  readonly tpm: Tpm;
  readonly root: StorageRoot;
  readonly objects: LoadedObjects;
  readonly #session: TpmSession;
  readonly #world: DeviceWorld;

  private constructor(
    { tpm, objects }: TpmLine,
    root: StorageRoot,
    session: TpmSession,
    world: DeviceWorld,
  ) {
    this.tpm = tpm;
    this.objects = objects;
    this.root = root;
    this.#session = session;
    this.#world = world;
  }

  /** `parent`: see findStorageRoot. */
  static async begin(line: TpmLine, parent: number, world: DeviceWorld): Promise<TpmConnection> {
    const root = await findStorageRoot(line.tpm, parent);
    const session = await startSession(line.tpm, root, 'HMAC', world);
    return new TpmConnection(line, root, session, world);
  }

  /** The session, speaking for something with this authorisation value; it hides first parameters as told. */
  authorized(
    authValue: Uint8Array = Buffer.alloc(0),
    hides: { readonly command?: boolean; readonly response?: boolean } = {},
  ): Authorization {
    const { command = false, response = false } = hides;
    return { session: this.#session, authValue, hides: { command, response } };
  }

  /** `work` with a session that has fulfilled a policy, which ends with it. */
  async withPolicy<T>(
    policy: { readonly pcrs: readonly number[]; readonly pin: boolean },
    work: (session: TpmSession) => Promise<T>,
  ): Promise<T> {
    const session = await startSession(this.tpm, this.root, 'POLICY', this.#world);
    try {
      await fulfilPolicy(this.tpm, session, policy);
      return await work(session);
    } finally {
      session.wipe();
      await flush(this.tpm, session.handle).catch(() => null); // the first failure is the one to report
    }
  }

  /** Flushes session and root, where they end with the connection; a TPM that is gone has nothing loaded. */
  async end(): Promise<void> {
    for (const { handle } of [this.#session, this.root]) {
      if (isVolatile(handle)) await flush(this.tpm, handle).catch(() => null);
    }
    this.#session.wipe();
  }
}

function isVolatile(handle: number): boolean {
  return volatileKinds.some((kind) => handle >>> 24 === kind);
}

/** Without a resource manager, what a process that was killed has loaded stays, and there is room for little. */
export async function flushLeftovers(tpm: Tpm): Promise<void> {
  for (const kind of volatileKinds) {
    for (const handle of await loadedHandles(tpm, kind)) await flush(tpm, handle);
  }
}

async function loadedHandles(tpm: Tpm, kind: number): Promise<readonly number[]> {
  const { parameters } = await tpm.run({
    code: CC.GetCapability,
    handles: [],
    parameters: Buffer.concat([u32(CAP.HANDLES), u32((kind << 24) >>> 0), u32(64)]),
  });
  return readHandles(parameters).handles.filter((handle) => handle >>> 24 === kind);
}
