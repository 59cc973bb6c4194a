import { describe, expect, it } from 'vitest';
import type { AgentStatus, KeyringStatus } from '../../src/api/status.ts';
import { wellBeing } from '../../src/cli/commands/status/well-being.ts';

const error = {
  kind: 'backend_unavailable',
  message: 'the token is away',
  at: '2026-05-14T18:19:15Z',
};

function keyring(name: string, given: Partial<KeyringStatus> = {}): KeyringStatus {
  return {
    ...{ name, backend: 'file', protection: 'software', rollback_protection: 'none' },
    ...{ algorithm: 'ed25519', purposes: null, active_kid: '0a1b2c3d', key_counts: null },
    ...{ health: 'ok', last_error: null, rotation: null, next_rotation: null, next_change: null },
    ...given,
  };
}

function status(given: Partial<AgentStatus> = {}): AgentStatus {
  return {
    agent: { version: '1', pid: 1, started_at: '2026-05-14T18:19:15Z' },
    connections: { open: 1, accepted: 1 },
    ssh_agent: null,
    keyrings: [keyring('default'), keyring('ci')],
    counters: {
      ...{ requests: 1, errors: 0, signatures: 1 },
      ...{ authentication_failures: 0, wrong_signatures: 0 },
    },
    access: { api_keys: 0, warnings: [] },
    audit: {
      ...{ enabled: true, fsync: true, health: 'ok' },
      ...{ last_seq: 1, file: null, last_error: null },
    },
    cluster: null,
    ...given,
  };
}

const audit = { ...{ enabled: true, fsync: true, last_seq: 1, file: null } };
const cluster = {
  ...{ domain: 'c.example', keyring: 'default', backend: 'file' as const, ca_kid: '00000000' },
  ...{ protection: 'software' as const, health: 'ok' as const },
  ...{ last_error: null, certificate_error: null },
};

describe('what a monitor is told', () => {
  const away = { health: 'unavailable' as const, last_error: error };
  it.each([
    ['an agent that signs', {}, 'well', []],
    [
      'one keyring of two is away',
      { keyrings: [keyring('default'), keyring('ci', away)] },
      ...['degraded', ['keyring ci: unavailable, the token is away']],
    ],
    [
      'every keyring is away',
      { keyrings: [keyring('default', away), keyring('ci', { health: 'locked' })] },
      ...['down', ['keyring default: unavailable, the token is away', 'keyring ci: locked']],
    ],
    [
      'a keyring signs, and could not be rotated',
      { keyrings: [keyring('default', { last_error: error })] },
      ...['degraded', ['keyring default: the token is away']],
    ],
    [
      'the audit log takes no record',
      { audit: { ...audit, health: 'unavailable', last_error: { message: 'ENOSPC', at: '' } } },
      ...['down', ['audit: ENOSPC']],
    ],
    [
      'no audit log',
      { audit: { ...audit, enabled: false, health: 'unavailable', last_error: null } },
      'well',
      [],
    ],
    ['no keyring', { keyrings: [] }, 'well', []],
    [
      'a device has made wrong signatures',
      {
        counters: {
          requests: 1,
          errors: 0,
          signatures: 1,
          authentication_failures: 0,
          wrong_signatures: 3,
        },
      },
      ...['degraded', ['3 wrong signatures of a device, none of which left']],
    ],
    [
      'the CA is locked',
      { cluster: { ...cluster, health: 'locked' } },
      ...['degraded', ['cluster c.example: its CA is locked']],
    ],
    [
      'a key has no certificate',
      { cluster: { ...cluster, certificate_error: error } },
      ...['degraded', ['cluster: the token is away']],
    ],
    [
      'what an API key for some keyrings is told',
      { audit: null, counters: null, access: null },
      'well',
      [],
    ],
  ] as [string, Partial<AgentStatus>, string, string[]][])('%s', (_, given, state, problems) => {
    expect(wellBeing(status(given))).toEqual({ state, problems });
  });
});
