// What the audit chain costs: the same load on agents that differ in [audit] alone, each with a token of its own.
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken } from './agents.js';
import { warmUp } from './stage.js';
import { medianOf, medianRatio } from './statistics.js';
import { fixed, row } from './table.js';

const load = { connections: 8, depth: 16 };
/** Agents by name; the first is what the others are compared with. */
const agents = {
  off: '',
  'on, without fsync': '[audit]\nfsync = false\n',
  on: '[audit]\n',
};
const targets = { file: 0.7, softhsm: 0.9 };

export const audit = {
  async prepare(stage) {
    const contestants = {};
    for (const [index, [name, moreTables]] of Object.entries(agents).entries()) {
      const token = await makeToken(join(stage.folder, `audit-token-${index}`));
      const keyrings = { file: onFile, softhsm: onToken(token) };
      const folder = join(stage.folder, `audit-agent-${index}`);
      const configured = configureAgent(folder, { keyrings, token, moreTables });
      stage.progress(`starting an agent with audit ${name}`);
      await configured.start();
      for (const keyring of Object.keys(keyrings)) {
        await stage.sign(configured.socket, { keyring, ...warmUp });
        contestants[`${keyring}, ${name}`] = () =>
          stage.sign(configured.socket, { keyring, ...load, seconds: stage.seconds });
      }
    }
    return { contestants: inTurn(contestants), figures };
  },
  table: ({ contestants }) => [
    row('audit, 8 connections, depth 16', 'sign/s', 'of audit off', 'median ms', 'p99 ms'),
    ...contestants.map(({ name, per_second, ratio_to_off, median_ms, p99_ms }) =>
      row(
        `  ${name}`,
        fixed(per_second, 0),
        fixed(ratio_to_off, 2),
        fixed(median_ms, 2),
        fixed(p99_ms, 2),
      ),
    ),
    `  targets: file, on at least ${targets.file}; softhsm, on at least ${targets.softhsm}`,
  ],
};

/** What is compared is measured one right after the other. */
function inTurn(contestants) {
  const keyringOf = (name) => name.split(',')[0];
  return Object.fromEntries(
    Object.keys(targets).flatMap((keyring) =>
      Object.entries(contestants).filter(([name]) => keyringOf(name) === keyring),
    ),
  );
}

function figures(results) {
  const perSecond = (name) => results[name].map((result) => result.perSecond);
  return {
    contestants: Object.keys(results).map((name) => ({
      name,
      per_second: medianOf(results[name], 'perSecond'),
      ratio_to_off: medianRatio(perSecond(name), perSecond(`${name.split(',')[0]}, off`)),
      median_ms: medianOf(results[name], 'median'),
      p99_ms: medianOf(results[name], 'p99'),
    })),
  };
}
