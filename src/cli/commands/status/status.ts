import { formatDuration } from '../../../base/duration.ts';
import type { KeyringStatus } from '../../../api/status.ts';
import { backendNames, kindOf } from '../../../vault/kinds/kinds.ts';
import { exitCodes } from '../../shell/failure.ts';
import type { KnownStatus } from './known-status.ts';
import { checkStatus } from './status-check.ts';
import { changeInWords } from '../../shell/next-change.ts';
import { Output, protectionInWords, type Cell } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import { clusterFacts } from './status-cluster.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

/** `agentctl status`: what the agent says of itself and its keyrings. */
export async function status(invocation: Invocation<{ readonly check?: true }>): Promise<number> {
  const { terminal, globals, options } = invocation;
  if (options.check) return checkStatus(invocation);
  const result = await ask<KnownStatus>(globals, 'status');
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  const { agent, connections } = result;
  const now = terminal.now();
  output.table([
    ['agent', `${agent.version}, pid ${agent.pid}, started ${when(agent.started_at, now)}`],
    ...(connections === null
      ? []
      : [['connections', `${connections.open} open, ${connections.accepted} since the start`]]),
    ...sshAgentFacts(result),
    ...counterFacts(result),
    ...accessFacts(result),
    ...auditFacts(result, now),
  ]);
  for (const keyring of result.keyrings) {
    output.line('');
    output.line('keyring ', { text: keyring.name, style: 'bold' });
    output.table(describe(keyring, now));
  }
  const { cluster = null } = result;
  if (cluster !== null) {
    output.line('');
    output.line('cluster ', { text: cluster.domain, style: 'bold' });
    output.table(clusterFacts(cluster, now));
  }
  return exitCodes.done;
}

function sshAgentFacts({ ssh_agent }: KnownStatus): Cell[][] {
  if (!ssh_agent) return [];
  const { path, open, accepted } = ssh_agent;
  return [['SSH agent', `${path}, ${open} open, ${accepted} since the start`]];
}

function counterFacts({ counters }: KnownStatus): Cell[][] {
  if (counters === null) return [];
  const { requests, errors, signatures, wrong_signatures: wrong } = counters;
  const facts: Cell[][] = [
    ['requests', `${requests}, of which ${errors} failed`],
    ['signatures', String(signatures)],
  ];
  if (wrong > 0) {
    const text = `${wrong}, which a device made and which did not leave`;
    facts.push(['wrong ones', { text, style: 'red' }]);
  }
  return facts;
}

function accessFacts({ access, counters }: KnownStatus): Cell[][] {
  if (!access || counters === null) return [];
  const refused = counters.authentication_failures;
  return [
    ['API keys', `${access.api_keys} in force, ${refused} not accepted since the start`],
    ...access.warnings.map((text): Cell[] => ['access', { text, style: 'yellow' }]),
  ];
}

function auditFacts({ audit }: KnownStatus, now: number): Cell[][] {
  if (!audit) return [];
  const { enabled, fsync, health, last_seq, file, last_error } = audit;
  if (!enabled) return [['audit', 'off: nothing is recorded']];
  const last = last_seq === null ? 'no record yet' : `last record ${last_seq}`;
  const where = file === null ? '' : `, ${file}`;
  const facts: Cell[][] = [
    health === 'ok'
      ? ['audit', `ok, ${last}${where}${fsync ? '' : ', without fsync'}`]
      : ['audit', { text: `unavailable: nothing is signed or changed, ${last}`, style: 'red' }],
  ];
  if (last_error !== null) {
    const text = `${last_error.message}, ${when(last_error.at, now)}`;
    facts.push(['audit error', { text, style: 'yellow' }]);
  }
  return facts;
}

function describe(keyring: KeyringStatus, now: number): Cell[][] {
  const { health, last_error } = keyring;
  const facts: [string, Cell][] = [
    ['health', { text: health, style: health === 'ok' ? 'green' : 'red' }],
    ['active key', `${keyring.active_kid ?? 'none known'} (${keyring.algorithm})`],
    ['keys', counts(keyring)],
    ['backend', keyring.backend],
    [
      'protection',
      keyring.protection === null ? 'not known' : protectionInWords(keyring.protection),
    ],
    ...purposesFacts(keyring),
    ['old copies', rollbackInWords(keyring)],
    ...rotationFacts(keyring, now),
  ];
  if (last_error !== null) {
    const text = `${last_error.kind}: ${last_error.message}, ${when(last_error.at, now)}`;
    facts.push(['last error', { text, style: 'yellow' }]);
  }
  return facts.map(([name, value]) => [`  ${name}`, value]);
}

/** An agent from before does not say it. */
function purposesFacts({ purposes }: Partial<KeyringStatus>): [string, Cell][] {
  if (purposes === undefined) return [];
  return [['purposes', purposes === null ? 'all' : purposes.join(', ') || 'none: for nobody']];
}

/** Of a keyring that is not open, and by an agent that does not say it, nothing is known. */
function rollbackInWords({ backend, rollback_protection }: Partial<KeyringStatus>): string {
  if (rollback_protection === 'token') return 'noticed: the token keeps a seal of the key records';
  if (rollback_protection !== 'none') return 'not known';
  const known = backendNames.find((name) => name === backend); // a newer agent may have others
  return known === undefined ? 'not noticed' : kindOf({ backend: known }).words.withoutSeal;
}

function rotationFacts(
  { rotation, next_rotation, next_change }: KeyringStatus,
  now: number,
): [string, Cell][] {
  if (!rotation) return [['rotation', 'by hand']];
  const every = `every ${formatDuration(rotation.every_seconds)}`;
  const grace = `grace ${formatDuration(rotation.grace_seconds)}`;
  const next = next_rotation === null ? '' : `, next ${when(next_rotation, now)}`;
  const facts: [string, Cell][] = [['rotation', `${every}, ${grace}${next}`]];
  if (next_change) facts.push(['next change', changeInWords(next_change, now)]);
  return facts;
}

function counts({ key_counts }: KeyringStatus): string {
  if (key_counts === null) return 'not known';
  const held = Object.entries(key_counts).filter(([, count]) => count > 0);
  return held.map(([state, count]) => `${count} ${words(state)}`).join(', ') || 'none';
}

function words(state: string): string {
  return state === 'grace' ? 'in grace' : state;
}
