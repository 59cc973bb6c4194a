// One request at a time: what the agent adds to a signature and to the way to another process and back.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { timesOf } from './contest.js';
import { meter } from './machine/cpu.js';
import { startUntil } from './machine/processes.js';
import { median } from './report/statistics.js';
import { cpuCells, cpuHeads, fixed, row } from './report/table.js';

/** Bytes of roundtrip.c's `sign` request with the keyring's name below. */
const requestBytes = 132;

export const latency = {
  async prepare(stage) {
    const echoSocket = join(stage.folder, 'echo.sock');
    const echo = fileURLToPath(new URL('programs/echo.js', import.meta.url));
    await startUntil('ready', [process.execPath, echo, echoSocket]);
    const { pid, socket } = await stage.agent();
    return {
      contestants: {
        signature: () => stage.direct(1),
        roundTrip: () => stage.roundtrip('echo', echoSocket, requestBytes),
        async agent() {
          const since = meter({ agent: { pid, children: 'host' } });
          const { signatures, ...taken } = await stage.roundtrip('sign', socket, 'softhsm');
          return { ...taken, cpu: since(signatures) };
        },
      },
      figures: (results) => ({
        ...Object.fromEntries(
          [
            ['signature', results.signature],
            ['round_trip', results.roundTrip],
            ['agent', results.agent],
          ].map(([name, taken]) => [name, timesOf(taken)]),
        ),
        request_bytes: requestBytes,
        ratio: median(
          results.agent.map(
            ({ medianUs }, round) =>
              medianUs /
              (results.signature[round].medianUs + 2 * results.roundTrip[round].medianUs),
          ),
        ),
      }),
    };
  },
  table: ({ signature, round_trip, agent, request_bytes, ratio }) => {
    const times = (name, { median_us, p99_us, cpu_us }) =>
      row(name, fixed(median_us, 1), fixed(p99_us, 1), ...cpuCells(cpu_us));
    return [
      row('softhsm keyring, one request at a time', 'median us', 'p99 us', ...cpuHeads),
      times('  s: PKCS#11 in C, 1 thread', signature),
      times(`  r: bare round trip, ${request_bytes} bytes`, round_trip),
      times('  m: agent, from C', agent),
      row('  m / (s + 2 r)', fixed(ratio, 2)),
    ];
  },
};
