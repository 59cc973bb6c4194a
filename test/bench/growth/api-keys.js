// Many API keys, and callers who authenticate with some of them.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configureAgent, onFile } from '../agents.js';
import { growthOf, growthTable, withHoldings } from './growth.js';

const counts = [1, 100, 10_000];
const keyring = 'default';
const load = { keyring, connections: 64, depth: 4 };

export const apiKeys = {
  async prepare(stage) {
    const entries = [];
    for (const count of counts) {
      stage.progress(`making ${count} API key${count === 1 ? '' : 's'}`);
      const configured = configureAgent(join(stage.folder, `api-keys-${count}`), {
        keyrings: { [keyring]: onFile },
      });
      const all = Array.from({ length: count }, (_, at) => secretOf(at));
      mkdirSync(configured.stateDir, { mode: 0o700 });
      writeFileSync(join(configured.stateDir, 'api-keys.json'), fileOf(all), { mode: 0o600 });
      // Spread over the file, one a connection.
      const step = Math.max(1, Math.floor(count / load.connections));
      const used = all.filter((_, at) => at % step === 0);
      const { stop } = await configured.start();
      await stop();
      entries.push([count, () => startAndSign(stage, configured, used)]);
    }
    return growthOf({ file: Object.fromEntries(entries) });
  },
  table: (figures) => growthTable('API keys, 64 connections by them', figures),
};

async function startAndSign(stage, configured, used) {
  const { startMs, startCpuMs, stop, ...agent } = await configured.start();
  const order = { ...load, apiKeys: used };
  await stage.sign(agent, { ...order, seconds: 1 });
  const signed = await stage.sign(agent, order);
  const result = { ...withHoldings(agent, signed), startMs, startCpuMs };
  await stop();
  return result;
}

const idOf = (at) => `bench-${at}`;
const secretOf = (at) => `sa_${idOf(at)}_${at.toString(16).padStart(64, '0')}`;

function fileOf(secrets) {
  const keys = secrets.map((secret, at) => ({
    id: idOf(at),
    hash: `sha256:${createHash('sha256').update(secret).digest('hex')}`,
    scope: 'app',
    created_at: '2026-01-01T00:00:00Z',
  }));
  return `${JSON.stringify({ version: 1, keys }, null, 2)}\n`;
}
