// What is to be reached: one line each at the end of a run. The bench says what was reached and by how much it is
// short; no test asserts a figure.

const contestant = (part, name) => part.contestants.find((one) => one.name === name);
const command = (figures, name) => figures.find((one) => one.name === name);
const busiest = 'agent, 8 connections, depth 16';
const allowedLoss = 0.95;

/**
 * `part`: whose figures `reached` is told. `wanted`: a number, or a function of the figures and of what is known of the
 * machine. `unit` stands behind both. `byCpu`: what it would be by the CPU time alone, on processors that do nothing else.
 */
export const targets = [
  {
    name: 'file keyring, 8 x 16, of node:crypto on one thread',
    part: 'file',
    sense: 'at least',
    wanted: (_, { processors }) => (processors >= 16 ? 3 : 1.5),
    reached: (figures) => contestant(figures, busiest).ratio_to_best_loop,
    byCpu: (figures) => contestant(figures, busiest).ratio_by_cpu,
  },
  ...[
    ['softhsm', 'SoftHSM', 0.92],
    ['yubihsm', 'YubiHSM (emulated)', allowedLoss],
    ['yubihsm-10ms', 'YubiHSM (emulated, 10 ms a command)', allowedLoss],
    ['tpm', 'TPM (emulated)', allowedLoss],
  ].map(([part, title, wanted]) => ({
    name: `${title}, 8 x 16, of the best loop in C`,
    part,
    sense: 'at least',
    wanted,
    reached: (figures) => contestant(figures, busiest).ratio_to_best_loop,
    byCpu: (figures) => contestant(figures, busiest).ratio_by_cpu,
  })),
  {
    name: 'SoftHSM, a lone request, m / (s + 2 r)',
    part: 'latency',
    sense: 'at most',
    wanted: 1.1,
    reached: ({ ratio }) => ratio,
  },
  ...[
    ['file', 0.85],
    ['softhsm', 0.95],
  ].map(([keyring, wanted]) => ({
    name: `audit with fsync, ${keyring} keyring, of audit off`,
    part: 'audit',
    sense: 'at least',
    wanted,
    reached: (figures) => contestant(figures, `${keyring}, on`).ratio_to_off,
    byCpu: (figures) => contestant(figures, `${keyring}, on`).ratio_by_cpu,
  })),
  {
    name: 'sign_batch of 256, file keyring, of single requests',
    part: 'batch',
    sense: 'at least',
    wanted: 1.3,
    reached: (figures) => contestant(figures, 'file, batches of 256').ratio_to_single,
    byCpu: (figures) => contestant(figures, 'file, batches of 256').ratio_by_cpu,
  },
  {
    name: 'agentctl sign, CPU: 1.3 x node -e 0 + 15 ms',
    part: 'processes',
    sense: 'at most',
    unit: 'ms',
    wanted: (figures) => 1.3 * command(figures, 'node -e 0').cpu_ms + 15,
    reached: (figures) => command(figures, 'agentctl sign').cpu_ms,
  },
  {
    name: 'start of an agent with a file keyring, CPU',
    part: 'start',
    sense: 'at most',
    unit: 'ms',
    wanted: 500,
    reached: (figures) => command(figures, 'file keyring').start_cpu_ms,
  },
  {
    name: 'SSH agent, file keyring, 8 connections, of ssh-agent',
    part: 'ssh',
    sense: 'at least',
    wanted: 8,
    reached: (figures) => contestant(figures, 'file keyring, 8').ratio_to_ssh_agent,
  },
];

/** By target: {name, sense, unit, wanted, reached, short_by, by_cpu}; null where its part was not measured. */
export function judge(figures, machine, list = targets) {
  return list.map(({ name, part, sense, unit = '', wanted, reached, byCpu }) => {
    const of = figures[part];
    const about = { name, part, sense, unit };
    if (of === undefined || of.unavailable !== undefined) {
      return { ...about, wanted: null, reached: null, short_by: null, by_cpu: null };
    }
    const goal = typeof wanted === 'function' ? wanted(of, machine) : wanted;
    const got = reached(of);
    const short_by = shortBy(got, goal, sense);
    return { ...about, wanted: goal, reached: got, short_by, by_cpu: byCpu?.(of) ?? null };
  });
}

/** The part of what is wanted that is missing, or that is too much; 0 where it is reached. */
export function shortBy(reached, wanted, sense) {
  return Math.max(0, sense === 'at least' ? 1 - reached / wanted : reached / wanted - 1);
}

/** A line a target. */
export function targetLines(judged) {
  const wide = Math.max(...judged.map(({ name }) => name.length));
  return judged.map(({ name, part, sense, unit, wanted, reached, short_by, by_cpu }) => {
    if (reached === null) return `  ${name.padEnd(wide)}  not measured (--only ${part})`;
    const [got, goal] = [reached, wanted].map((value) => text(value, unit));
    const verdict = short_by === 0 ? 'reached' : `short by ${(short_by * 100).toFixed(0)} %`;
    const cpu = by_cpu === null ? '' : `, by CPU ${text(by_cpu, unit)}`;
    return `  ${name.padEnd(wide)}  ${got.padStart(8)}, wanted ${sense} ${goal.padEnd(7)} ${verdict}${cpu}`;
  });
}

function text(value, unit) {
  return unit === '' ? value.toFixed(2) : `${value.toFixed(0)} ${unit}`;
}
