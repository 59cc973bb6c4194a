import { readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { copyFile, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type {} from '../faults/build.ts';
import type { SoftHsmToken } from './softhsm.ts';

/** What rules and counts can name; the module itself knows all functions of PKCS#11 2.40. */
const functionNames = [
  'C_Initialize',
  'C_Finalize',
  'C_GetSlotList',
  'C_GetSlotInfo',
  'C_GetTokenInfo',
  'C_GetMechanismList',
  'C_GetMechanismInfo',
  'C_OpenSession',
  'C_CloseSession',
  'C_CloseAllSessions',
  'C_GetSessionInfo',
  'C_Login',
  'C_Logout',
  'C_CreateObject',
  'C_DestroyObject',
  'C_GetAttributeValue',
  'C_SetAttributeValue',
  'C_FindObjectsInit',
  'C_FindObjects',
  'C_FindObjectsFinal',
  'C_SignInit',
  'C_Sign',
  'C_GenerateKeyPair',
] as const;

/**
 * Wrong user PINs that the token itself refused; `in a row` starts again with a right one. Calls by threads of a process
 * beside its first.
 */
const otherCounts = ['wrong logins', 'wrong logins in a row', 'calls of other threads'] as const;

type FunctionName = (typeof functionNames)[number];
type Count = FunctionName | (typeof otherCounts)[number];

/** Counted over all processes, from 1. `next` is the call after those made by now, `next+1` the one after it. */
type Calls =
  `${'at' | 'from'} ${number | 'next' | `next+${number}`}` | `every ${number}` | 'always';

type Fault =
  | `return ${number}`
  | `delay ${number}`
  | `exit ${number}`
  | 'drop-sessions'
  | 'flip-bit'
  | 'hang'
  | 'abort'
  | 'segv';

/** A line of the script; test/faults/fault-module.c says what each does. */
export type Rule =
  | `${FunctionName} ${Calls} ${Fault}`
  | 'token removed'
  | `pin-lock ${number}`
  | `max-sessions ${number}`
  | 'mechanism-flags hw'
  | 'no-data-objects'
  | `device ${Device}`;

/** See test/faults/device-faults.h. */
type Device =
  | `manufacturer ${string}`
  | `firmware ${number} ${number}`
  | `lacks ${string}`
  | `id-length ${number}`
  | 'curve-names'
  | 'label-is-id'
  | 'private-data-hangs'
  | 'handles-twice'
  | 'searches-by-class';

/** As fault-module.c lays it out: a name that ends in NUL, and a number in the machine's byte order. */
const counter = { size: 48, nameLength: 40 };
const countsSize = 4096;

/**
 * A token's module with faults in it, in a folder of its own: two of them know nothing of each other, and one
 * keeps its counts when the process that uses it is started again.
 */
export class FaultModule {
  readonly modulePath: string;
  /** The token's own, through this module. */
  readonly uri: string;
  readonly #folder: string;
  #scripts = 0;

  private constructor(folder: string, token: SoftHsmToken) {
    this.#folder = folder;
    this.modulePath = join(folder, 'fault-module.so');
    const path = encodeURIComponent(this.modulePath).replaceAll('%2F', '/');
    this.uri = token.uri.replace(/(?<=[?&]module-path=)[^&]*/, path);
  }

  /** Without a fault at first. SOFTHSM2_CONF reaches SoftHSM through the environment, as ever. */
  static async make(token: SoftHsmToken): Promise<FaultModule> {
    const folder = await mkdtemp(join(await realpath(tmpdir()), 'fault-module-'));
    const module = new FaultModule(folder, token);
    await copyFile(inject('faultModule'), module.modulePath);
    await writeFile(join(folder, 'target.txt'), `${token.modulePath}\n`);
    await writeFile(join(folder, 'counts.bin'), Buffer.alloc(countsSize));
    module.clear();
    return module;
  }

  /** From the next call on these rules hold, and no others. The first that fits a call decides. */
  script(...rules: readonly Rule[]): void {
    const counts = this.counts();
    this.#write(rules.map((rule) => `${absolute(rule, counts)}\n`).join(''));
  }

  /** Takes all rules away. What a removed token lost stays lost; counts go on. */
  clear(): void {
    this.script();
  }

  /** How often each function was called, also where a rule answered. A call counts before its fault happens. */
  counts(): Readonly<Record<Count, number>> {
    const names = [...functionNames, ...otherCounts];
    const counts = Object.fromEntries(names.map((name) => [name, 0])) as Record<Count, number>;
    const file = readFileSync(join(this.#folder, 'counts.bin'));
    for (let at = 0; at + counter.size <= file.length; at += counter.size) {
      const name = file.toString('latin1', at, at + counter.nameLength).replace(/\0.*$/s, '');
      if (name in counts)
        counts[name as Count] = Number(file.readBigUInt64LE(at + counter.nameLength));
    }
    return counts;
  }

  /** Processes that have it loaded keep the rules that they saw last. */
  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  #write(text: string): void {
    const path = join(this.#folder, 'faults.txt');
    const fresh = join(this.#folder, 'faults.new');
    writeFileSync(fresh, text);
    // The module tells scripts apart by inode, size and time, and two within one tick may share all three.
    this.#scripts += 1;
    utimesSync(fresh, this.#scripts, this.#scripts);
    renameSync(fresh, path);
  }
}

function absolute(rule: Rule, counts: Readonly<Record<Count, number>>): string {
  return rule.replace(
    /^(?<name>C_\w+) (?<calls>at|from) next(?:\+(?<later>\d+))?(?= )/,
    (_, name: FunctionName, calls: string, later = '0') =>
      `${name} ${calls} ${counts[name] + 1 + Number(later)}`,
  );
}
