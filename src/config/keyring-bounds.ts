import type { KeyringBounds } from '../access/grant.ts';
import { isForSsh, sshPurposes, type PurposeName } from '../access/purposes.ts';
import { isFixed } from '../formats/jose/jwt-policy.ts';
import type { Settings } from './settings.ts';

/** What binds everybody at each keyring. */
export function keyringBounds({
  keyrings,
  cluster,
}: Pick<Settings, 'keyrings' | 'cluster'>): ReadonlyMap<string, KeyringBounds> {
  return new Map(
    keyrings.map(({ name, purposes, jwt }) => {
      const wordedByAgent = new Set<PurposeName>();
      if (isFixed(jwt)) wordedByAgent.add('jwt');
      // Signed as bytes, a token would live for as long as its caller likes.
      if (cluster?.keyring === name) wordedByAgent.add('join-token');
      return [name, { purposes, wordedByAgent }];
    }),
  );
}

/** Of each keyring that the agent itself relies on and that is for everything, or not for that: a sentence. */
export function purposeWarnings({
  keyrings,
  cluster,
  audit,
  sshAgent,
}: Pick<Settings, 'keyrings' | 'cluster' | 'audit' | 'sshAgent'>): readonly string[] {
  return keyrings.flatMap(({ name, purposes }) => {
    const uses = [
      cluster?.keyring === name ? "the cluster's" : null,
      audit?.keyring === name ? "the audit log's" : null,
      sshAgent?.keyrings.includes(name) === true ? "the SSH agent's" : null,
    ].filter((use) => use !== null);
    if (sshAgent?.keyrings.includes(name) === true && !isForSsh(purposes)) {
      return [
        `keyring ${name} is the SSH agent's, and none of its purposes is for SSH (${sshPurposes.join(', ')}): its keys ` +
          'are not shown there. Give it one of them, or take it out of ssh_agent.keyrings; this counts after a restart',
      ];
    }
    if (purposes !== null || uses.length === 0) return [];
    return [
      `keyring ${name} is ${uses.join(' and ')}, and has no purposes: whoever may sign with it may have everything ` +
        'signed by its keys. Give it purposes = [...], or that a keyring of its own; this counts after a restart',
    ];
  });
}
