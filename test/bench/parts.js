import { audit } from './audit.js';
import { batch } from './batch.js';
import { slowYubihsm, tpm, yubihsm } from './devices.js';
import { forwarder } from './forwarder.js';
import { apiKeys } from './growth/api-keys.js';
import { connections } from './growth/connections.js';
import { cores } from './growth/cores.js';
import { keyrings } from './growth/keyrings.js';
import { keys } from './growth/keys.js';
import { memory } from './growth/memory.js';
import { messageSizes } from './growth/sizes.js';
import { time } from './growth/time.js';
import { latency } from './latency.js';
import { ssh } from './ssh.js';
import { file, softhsm } from './throughput.js';
import { verification } from './verification.js';
import { processes, start } from './whole-processes.js';

/**
 * Each part is prepared once and answers {contestants, figures}: functions by name that every round calls, and
 * a function that makes figures of their results, [round] by name; or {unavailable}: why it cannot run here.
 * `table` makes lines of the figures.
 */
const speed = {
  ...{
    file,
    softhsm,
    yubihsm,
    'yubihsm-10ms': slowYubihsm,
    tpm,
    forwarder,
    batch,
    verification,
    ssh,
    audit,
    latency,
  },
  ...{ processes, start, memory },
};
const growth = {
  ...{ keys, connections, sizes: messageSizes, cores, keyrings },
  ...{ 'api-keys': apiKeys, time },
};
export const parts = { ...speed, ...growth };

/** Names that `--only` takes for several parts. */
export const groups = {
  speed: Object.keys(speed),
  growth: Object.keys(growth),
  all: Object.keys(parts),
};
