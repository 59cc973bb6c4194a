// What one user can take from the others: node test/load/run.js [--only KIND,...] [--seconds N] [--no-audit] [--keep]
// Needs root (three users are played, and nobody's account is used), a built agent (npm run build) and a quiet machine.
// Everything is on this machine, for some seconds a kind; prints a table in Markdown.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { configureAgent, onFile } from '../bench/agents.js';
import { endAll, worker } from '../bench/machine/processes.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    'no-audit': { type: 'boolean', default: false },
  },
});
const kinds = ['ping', 'sign', 'verify', 'list', 'authenticate', 'session-bind'];
const hostile = ['members', 'unfinished', 'unread'];
const seconds = Number(values.seconds);
const flooder = 20_001;
const wellBehaved = 20_002;
const stranger = 20_003;
const connections = 1000;
const depth = 64;
/** Until the flood's connections are accepted, which goes one a turn of the agent's loop, milliseconds. */
const settling = 2000;

const percentile = (sorted, part) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
const ms = (value) => value.toFixed(value < 10 ? 2 : 1);

/** One run: a new agent, both callers quiet, then beside the flood. */
async function measure({ kind, uid }) {
  const folder = mkdtempSync(join(tmpdir(), 'load-'));
  chmodSync(folder, 0o711);
  const home = join(folder, 'agent');
  const configured = configureAgent(home, {
    keyrings: { default: onFile },
    socketLines: 'mode = "0666"',
    moreTables: [
      `[access]\napps = ["${flooder}", "${wellBehaved}"]`,
      `[ssh_agent]\npath = "${join(home, 'ssh.sock')}"\nmode = "0666"`,
      `[audit]\nenabled = ${values['no-audit'] ? 'false' : 'true'}\n`,
    ].join('\n'),
    descriptors: 4096,
  });
  chmodSync(home, 0o711);
  const agent = await configured.start();
  const sockets = { agent: configured.socket, ssh: join(home, 'ssh.sock') };
  const [root, other, flood] = [worker(caller), worker(caller), worker(flooding)];
  try {
    const sign = () =>
      Promise.all([
        root.order({ uid: 0, socket: sockets.agent, seconds }),
        other.order({ uid: wellBehaved, socket: sockets.agent, seconds }),
      ]);
    const before = await sign();
    const { kid, signature_b64 } = before[0].signature;
    const signed = { kid, signature_b64 };
    await flood.order({ uid, sockets, kind, signed, connections, depth });
    await sleep(settling);
    const peakBefore = peakOf(agent.pid);
    const during = await sign();
    const came = await flood.order({ stop: true });
    return { kind, uid, before, during, came, peak: Math.max(peakBefore, peakOf(agent.pid)) };
  } finally {
    await agent.stop();
    root.end();
    other.end();
    flood.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const caller = new URL('./caller.js', import.meta.url);
const flooding = new URL('./flood.js', import.meta.url);

/** Most resident memory that the process ever had, bytes. */
function peakOf(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

function rowOf({ kind, uid, before, during, came, peak }) {
  const p99 = ({ latencies }) =>
    percentile(
      [...latencies].sort((a, b) => a - b),
      0.99,
    );
  const median = ({ latencies }) =>
    percentile(
      [...latencies].sort((a, b) => a - b),
      0.5,
    );
  const of = (at) => {
    const [quiet, loud] = [p99(before[at]), p99(during[at])];
    return `${ms(median(during[at]))} / ${ms(quiet)} → ${ms(loud)} (${(loud / quiet).toFixed(1)} ×)`;
  };
  const refused = [...Object.entries(during[0].refused), ...Object.entries(during[1].refused)];
  const errors = Object.entries(came.errors).map(([name, count]) => `${count} ${name}`);
  return [
    uid === stranger ? `${kind}, no scope` : kind,
    of(0),
    of(1),
    `${Math.round(peak / 1024 / 1024)} MB`,
    refused.length === 0 ? 'none' : refused.map(([name, count]) => `${count} ${name}`).join(', '),
    `${came.answers} answers${errors.length > 0 ? `, ${errors.join(', ')}` : ''}${came.closed > 0 ? `, ${came.closed} closed` : ''}`,
  ];
}

const only = values.only?.split(',');
const runs = [
  ...[...kinds, ...hostile].map((kind) => ({ kind, uid: flooder })),
  { kind: 'stranger-ping', uid: stranger },
  { kind: 'stranger-authenticate', uid: stranger },
].filter(({ kind }) => only === undefined || only.includes(kind));

try {
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpus()[0]?.model}), load ${loadavg()[0]?.toFixed(1)}\n`,
  );
  console.log(
    '| flood | root: median / p99 quiet → beside it | another user | peak RSS | refused of these two | the flooder |',
  );
  console.log('|---|---|---|---|---|---|');
  for (const run of runs) {
    const kind = run.kind.replace('stranger-', '');
    console.log(`| ${rowOf(await measure({ ...run, kind })).join(' | ')} |`);
  }
} finally {
  endAll();
}
