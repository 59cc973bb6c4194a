import { join } from 'node:path';
import type { Settings } from '../../../config/settings.ts';
import { configuredKeyrings } from '../../../agent/configured-keyring.ts';
import { openLibc, type Libc } from '../../../native/libc.ts';
import { ensurePrivateDir } from '../../../files/checked-dir.ts';
import { withOfflineState } from '../../../agent/offline-state.ts';
import { lstatOrNull } from '../../../files/ownership.ts';
import { configuredHosts } from '../../../agent/configured-hosts.ts';
import { kindOf } from '../../../vault/kinds/kinds.ts';
import { ModuleHosts } from '../../../vault/host/module-hosts.ts';
import { runningAgent } from '../../offline/api-keys-offline.ts';
import { exitCodes } from '../../shell/failure.ts';
import { adminKeyHere, adminKeyOfAgent, type AdminKey } from './init-admin-key.ts';
import { writeConfig } from './init-config.ts';
import { planInit, type InitOptions } from './init-plan.ts';
import { offlineSettings } from '../../offline/offline-settings.ts';
import { offlineWorld } from '../../offline/offline-world.ts';
import { Output, type Cell } from '../../shell/output.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';

/** What was set up, and what was there already. */
interface InitReport {
  readonly changed: boolean;
  readonly config: { readonly path: string; readonly made: boolean } | null;
  readonly state_dir: { readonly path: string; readonly made: boolean };
  readonly keyrings: readonly InitKeyring[];
  readonly admin_key: AdminKey;
}

interface InitKeyring {
  readonly name: string;
  /** Of the first key, where it was made now. */
  readonly made: string | null;
  /** Says that the agent makes its first key; null where it has one. */
  readonly byAgent: string | null;
}

/** `agentctl init`: what a first start needs, as far as it is not there yet. */
export async function init(invocation: Invocation<InitOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { config, newConfig, stateDir } = await planInit(invocation);
  if (config !== undefined && newConfig !== null) writeConfig(config, newConfig);
  const settings = offlineSettings(
    {
      ...(config === undefined ? {} : { config }),
      ...(stateDir === undefined ? {} : { stateDir }),
    },
    terminal,
  );
  const made = lstatOrNull(settings.stateDir) === null;
  const libc = openLibc();
  libc.refuseCoreDumps(); // the first key and a secret are in this process for a moment
  ensurePrivateDir(settings.stateDir);
  ensurePrivateDir(join(settings.stateDir, 'keyrings'));
  const done =
    runningAgent(settings) === null
      ? await setUpHere(settings, libc, terminal)
      : { keyrings: [], admin_key: await adminKeyOfAgent(settings, invocation) };
  const report: InitReport = {
    changed:
      newConfig !== null ||
      made ||
      done.admin_key.made ||
      done.keyrings.some((keyring) => keyring.made !== null),
    config: config === undefined ? null : { path: config, made: newConfig !== null },
    state_dir: { path: settings.stateDir, made },
    ...done,
  };
  const output = new Output(terminal);
  if (globals.json) output.json(reportDocument(report));
  else print(report, options.config ?? config, output);
  return exitCodes.done;
}

/** Keeps agents away meanwhile. */
async function setUpHere(
  settings: Settings,
  libc: Libc,
  terminal: Terminal,
): Promise<Pick<InitReport, 'keyrings' | 'admin_key'>> {
  const world = offlineWorld(terminal, libc);
  return withOfflineState({ stateDir: settings.stateDir, world, libc }, async (manifest) => {
    const hosts = new ModuleHosts(configuredHosts(settings, terminal.env, 1));
    const open = configuredKeyrings(world, hosts, { ledger: (name) => manifest.keyring(name) });
    const keyrings: InitKeyring[] = [];
    for (const keyring of settings.keyrings) {
      const { name } = keyring;
      const kind = kindOf(keyring);
      const firstKey = kind.firstKey(keyring);
      if (firstKey !== 'to_make') {
        const byAgent = firstKey === 'by_agent' ? kind.init.firstKeyByAgent : null;
        keyrings.push({ name, made: null, byAgent });
        continue;
      }
      const opened = await open(keyring, null);
      keyrings.push({ name, made: await opened.activeKeyId(), byAgent: null });
      await opened.close();
    }
    const ledger = manifest.apiKeys;
    return { keyrings, admin_key: await adminKeyHere({ settings, ledger, world, terminal }) };
  });
}

/** For `--json`. */
function reportDocument(report: InitReport): unknown {
  const keyrings = report.keyrings.map(({ name, made, byAgent }) => {
    return { name, made, by_agent: byAgent !== null };
  });
  return { ...report, keyrings };
}

function print(report: InitReport, config: string | undefined, output: Output): void {
  const { state_dir: stateDir, keyrings, admin_key: admin } = report;
  const there = ' (was there)';
  const rows: Cell[][] = [];
  if (report.config !== null) {
    rows.push(['configuration', `${report.config.path}${report.config.made ? '' : there}`]);
  }
  rows.push(['state dir', `${stateDir.path}${stateDir.made ? '' : there}`]);
  for (const { name, made, byAgent } of keyrings) {
    const has = byAgent ?? 'has its keys (was there)';
    rows.push([`keyring ${name}`, made === null ? has : `first key ${made}`]);
  }
  rows.push(['admin API key', admin.made ? `its secret is in ${admin.file ?? ''}` : 'was there']);
  output.table(rows);
  output.line('');
  if (!report.changed) output.line('Everything is there already: nothing was changed.');
  else {
    const flag = config === undefined ? `--state-dir ${stateDir.path}` : `--config ${config}`;
    output.line(`Start the agent with: signing-agent ${flag}`);
  }
}
