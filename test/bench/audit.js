// What the audit chain costs: the same load on agents that differ in [audit] alone, each with a token of its own.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { configureAgent, makeToken, onFile, onToken } from './agents.js';
import { contestTable, ratioOfCpu, timesOf } from './contest.js';
import { medianOf, medianRatio } from './report/statistics.js';
import { fixed } from './report/table.js';

const load = { connections: 8, depth: 16 };
/** Agents by name; the first is what the others are compared with. */
const agents = {
  off: '',
  'on, without fsync': '[audit]\nfsync = false\n',
  on: '[audit]\n',
};
const keyrings = ['file', 'softhsm'];

export const audit = {
  async prepare(stage) {
    const contestants = {};
    for (const [index, [name, moreTables]] of Object.entries(agents).entries()) {
      const token = await makeToken(join(stage.folder, `audit-token-${index}`));
      const tables = { file: onFile, softhsm: onToken(token) };
      const folder = join(stage.folder, `audit-agent-${index}`);
      const configured = configureAgent(folder, { keyrings: tables, token, moreTables });
      stage.progress(`starting an agent with audit ${name}`);
      const agent = await stage.warmUpAll(await configured.start(), keyrings);
      for (const keyring of keyrings) {
        contestants[`${keyring}, ${name}`] = async () => {
          const before = bytesIn(configured.stateDir);
          const signed = await stage.sign(agent, { keyring, ...load });
          const auditBytes = (bytesIn(configured.stateDir) - before) / signed.signatures;
          return { ...signed, auditBytes };
        };
      }
    }
    return { contestants: inTurn(contestants), figures };
  },
  table: (figures) => [
    ...contestTable('audit, 8 connections, depth 16', figures, 'ratio_to_off', 'of audit off'),
    ...keyrings.map((keyring) => {
      const { audit_bytes } = figures.contestants.find(({ name }) => name === `${keyring}, on`);
      return `  ${keyring}: ${fixed(audit_bytes, 0)} bytes of audit log a signature`;
    }),
  ],
};

/** Of an agent's audit log; 0 where it keeps none. */
function bytesIn(stateDir) {
  const folder = join(stateDir, 'audit');
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** What is compared is measured one right after the other. */
function inTurn(contestants) {
  const keyringOf = (name) => name.split(',')[0];
  return Object.fromEntries(
    keyrings.flatMap((keyring) =>
      Object.entries(contestants).filter(([name]) => keyringOf(name) === keyring),
    ),
  );
}

function figures(results) {
  const perSecond = (name) => results[name].map((result) => result.perSecond);
  return {
    contestants: Object.keys(results).map((name) => {
      const reference = `${name.split(',')[0]}, off`;
      return {
        name,
        per_second: medianOf(results[name], 'perSecond'),
        ratio_to_off: medianRatio(perSecond(name), perSecond(reference)),
        ratio_by_cpu: ratioOfCpu(results, name, reference),
        audit_bytes: medianOf(results[name], 'auditBytes'),
        ...timesOf(results[name]),
      };
    }),
  };
}
