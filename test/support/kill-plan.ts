import { randomInt } from 'node:crypto';

/** All kill tests together kill at least so many processes. */
export const fewestKills = 300;

/** How many of them each test makes; each asserts that it made no fewer. */
export const plannedKills = {
  stepsOfChanges: 27,
  stepsOfFirstStart: 10,
  stepsOfRepair: 8,
  stepsOfSchedule: 3,
  betweenRecordsAndSeal: 12,
  stepsOfHost: 60,
  hostAtFirstStart: 6,
  start: 44,
  randomAgent: 48,
  randomHost: 110,
} as const;

/** Every step that a process can be ended at; see `World.testPoint`. */
export const agentSteps = [
  'change/announced',
  'change/destroyed',
  'change/generated',
  'change/proved',
  'change/saved',
  'change/settled',
  'rotation/activated',
  'rotation/prepared',
  'rotation/pruned',
  'start/begun',
  'start/destroyed',
  'start/sealed',
  'start/settled',
] as const;
export const hostSteps = ['host/destroyed', 'host/generated', 'host/sealed'] as const;

export type AgentStep = (typeof agentSteps)[number];
export type HostStep = (typeof hostSteps)[number];

/** Those of a vault host that has a TPM, besides. */
export const tpmSteps = [
  'tpm/device-noted',
  'tpm/counter-noted',
  'tpm/counter-defined',
  'tpm/sealed',
  'tpm/key-made',
] as const;
export type TpmStep = (typeof tpmSteps)[number];

/** Those of `agentctl keys reseal`, which works without an agent: test/contract/tpm-sealing.test.ts ends it there. */
export const resealSteps = ['tpm/reseal-noted'] as const;

/** Repeats what a random test did, but for the moments, which the machine decides. */
const seedVariable = 'KILL_TEST_SEED';

/** Runs a random test; where it fails, the failure says the seed. */
export async function seeded(work: (seed: number) => Promise<void>): Promise<void> {
  const given = process.env[seedVariable];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  try {
    await work(seed);
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new Error(`with ${seedVariable}=${seed}: ${reason}`, { cause: failure });
  }
}

/** Random numbers that a seed repeats (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0 to 1, without 1. */
  part(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.part() * limit);
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new RangeError('nothing to pick from');
    return choice;
  }
}

/** Rigs that are at work at the same time. */
const atOnce = 4;

/** Does the work with few at a time, as this machine has few processors; answers the sum. After a failure no more is begun. */
export async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<number>,
): Promise<number> {
  const queue = [...items];
  let sum = 0;
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        const made = await work(item);
        sum += made;
      } catch (failure) {
        queue.splice(0);
        throw failure;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return sum;
}
