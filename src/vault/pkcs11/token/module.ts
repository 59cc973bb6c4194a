import { Module, type Slot } from 'graphene-pk11';
import type { PKCS11 } from 'pkcs11js';
import { AgentError, describeFailure } from '../../../base/errors.ts';
import { openDeep } from '../../../native/shared-library.ts';
import { CKF, CKR, nameOfReturnValue } from './cryptoki.ts';
import { isReturnValue, returnValueOf, translate } from './errors.ts';

/** A loaded and initialised PKCS#11 module, as one user of it sees it. */
export interface Pkcs11Module {
  readonly path: string;
  /** The bindings themselves; sessions of graphene use this same object. */
  readonly lib: PKCS11;
  /** It has no locks: it is called by this thread alone. */
  readonly wantsOneThread: boolean;
  /** Slots that have a token in them now. */
  slots(): readonly Slot[];
  /** The last user's release finalises the module. No call into it may be running. */
  release(): void;
}

interface LoadedModule {
  readonly module: Module;
  users: number;
  /** What it was initialised with. */
  parameters: string | null;
  /** False where other code of this process initialised it: then it is not ours to finalise. */
  initialisedHere: boolean;
  wantsOneThread: boolean;
}

/**
 * The modules of this process. C_Initialize and C_Finalize act on the whole process (PKCS#11, 5.4), so there is
 * one of these an agent, made where the agent is put together, and keyrings on one module share its entry.
 */
export class Pkcs11Modules {
  readonly #loaded = new Map<string, LoadedModule>();

  /**
   * Loads the library at `path` (its real path) and initialises it, or joins those who use it already.
   * `parameters`: pReserved of C_Initialize, a text where the module wants one (NSS).
   * Throws `backend_unavailable` where it cannot be loaded or does not start, `invalid_params` where it runs with
   * other parameters.
   */
  use(path: string, parameters: string | null = null): Pkcs11Module {
    const loaded = this.#loaded.get(path) ?? this.#load(path);
    if (loaded.users === 0) {
      Object.assign(loaded, initialise(loaded.module.lib, path, parameters));
      loaded.parameters = parameters;
    } else if (loaded.parameters !== parameters) {
      throw new AgentError(
        'invalid_params',
        `PKCS#11 module ${path} runs with other library_parameters: keyrings on one module share them`,
      );
    }
    loaded.users += 1;
    let released = false;
    return {
      path,
      lib: loaded.module.lib,
      wantsOneThread: loaded.wantsOneThread,
      slots: () => slotsOf(loaded.module),
      release: () => {
        if (released) return;
        released = true;
        loaded.users -= 1;
        if (loaded.users === 0 && loaded.initialisedHere) loaded.module.finalize();
      },
    };
  }

  /**
   * Once loaded a library stays: an entry without users keeps it, since unmapping one that has started threads
   * or registered exit handlers takes the process with it, and the bindings unmap what is garbage-collected.
   *
   * Opened deep before the bindings open it: a module that finds Node's OpenSSL in the place of its own crashes where
   * the two differ (Kryoptic at its first signature), and binds half and half elsewhere.
   */
  #load(path: string): LoadedModule {
    try {
      openDeep(path);
      const module = Module.load(path);
      const loaded = {
        ...{ module, users: 0, parameters: null },
        ...{ initialisedHere: false, wantsOneThread: false },
      };
      this.#loaded.set(path, loaded);
      return loaded;
    } catch (thrown) {
      throw new AgentError(
        'backend_unavailable',
        `PKCS#11 module ${path} cannot be loaded: ${describeFailure(thrown)}`,
        { cause: thrown },
      );
    }
  }
}

function initialise(
  lib: PKCS11,
  path: string,
  parameters: string | null,
): Pick<LoadedModule, 'initialisedHere' | 'wantsOneThread'> {
  const more = parameters === null ? {} : { libraryParameters: parameters };
  try {
    try {
      // Without CKF_OS_LOCKING_OK the module may leave out its locks, and signatures run on several threads.
      lib.C_Initialize({ flags: CKF.OS_LOCKING_OK, ...more });
      return { initialisedHere: true, wantsOneThread: false };
    } catch (thrown) {
      if (!isReturnValue(thrown, CKR.CANT_LOCK)) throw thrown;
      // It has none (PKCS#11, 5.4).
      lib.C_Initialize({ flags: 0, ...more });
      return { initialisedHere: true, wantsOneThread: true };
    }
  } catch (thrown) {
    if (isReturnValue(thrown, CKR.CRYPTOKI_ALREADY_INITIALIZED)) {
      return { initialisedHere: false, wantsOneThread: false };
    }
    const value = returnValueOf(thrown);
    const reason = value === null ? describeFailure(thrown) : nameOfReturnValue(value);
    throw new AgentError(
      'backend_unavailable',
      `PKCS#11 module ${path} does not start: ${reason}; look at the module's own configuration ` +
        '(SoftHSM: is SOFTHSM2_CONF right and its token directory accessible? NSS: does the keyring have ' +
        'library_parameters?)',
      { cause: thrown },
    );
  }
}

function slotsOf(module: Module): readonly Slot[] {
  try {
    return [...module.getSlots(true)];
  } catch (thrown) {
    throw translate(thrown, 'list its slots');
  }
}
