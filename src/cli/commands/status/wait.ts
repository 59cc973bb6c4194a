import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration, parseDuration } from '../../../base/duration.ts';
import { ConnectionError } from '../../../client/connection-error.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import type { KnownStatus } from './known-status.ts';
import { notWell } from './well-being.ts';

/** Between two attempts, milliseconds. */
const pause = 100;

/**
 * `agentctl wait`: until an agent answers; with --keyring until those keyrings sign, too. Rejects as the last attempt
 * did, where the time is over.
 */
export async function wait({
  terminal,
  globals,
  options,
}: Invocation<{ readonly timeout: string }>): Promise<number> {
  const seconds = parseDuration(options.timeout);
  if (seconds === null) {
    throw new UsageError(`--timeout: not a duration (5s 2m): ${options.timeout}`);
  }
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const waitsFor = await missing();
    if (waitsFor === null) {
      if (globals.json) new Output(terminal).json({});
      return exitCodes.done;
    }
    if (performance.now() + pause > end) throw tooLate(waitsFor, seconds);
    await sleep(pause);
  }

  /** What is not there yet; null: nothing. */
  async function missing(): Promise<Error | null> {
    try {
      if (globals.keyrings.length === 0) {
        await ask(globals, 'ping');
        return null;
      }
      const { keyrings } = await ask<KnownStatus>(globals, 'status');
      for (const name of globals.keyrings) {
        const keyring = keyrings.find((each) => each.name === name);
        const [problem] =
          keyring === undefined ? [`keyring ${name}: there is none`] : notWell(keyring);
        if (problem !== undefined) return new ConnectionError('unreachable', problem);
      }
      return null;
    } catch (failure) {
      // An agent that ends while it is asked is one that comes back.
      const comes =
        failure instanceof ConnectionError &&
        (failure.reason === 'unreachable' || failure.reason === 'lost');
      if (comes) return failure;
      throw failure;
    }
  }
}

function tooLate(last: Error, seconds: number): ConnectionError {
  return new ConnectionError('unreachable', `waited ${formatDuration(seconds)}: ${last.message}`, {
    cause: last,
  });
}
