import { scopes, type Scope } from '../api/principal.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';
import type { Peer } from './principal.ts';

/** `[access]` as it is configured: names of users, `@` and names of groups, ids in decimal, `*` for everybody. */
export interface AccessNames {
  readonly admins: readonly string[];
  readonly apps: readonly string[];
  readonly readers: readonly string[];
}

/** Where names are looked up; null where there is no such name. */
export interface Accounts {
  userId(name: string): number | null;
  groupId(name: string): number | null;
}

interface Members {
  readonly everyone: boolean;
  readonly uids: ReadonlySet<number>;
  readonly gids: ReadonlySet<number>;
}

/** `[access]` with its names resolved: what they meant when the configuration was loaded. */
export interface AccessRules {
  readonly agentUid: number;
  readonly members: Readonly<Record<Exclude<Scope, 'none'>, Members>>;
  /** Entries that allow nobody, because their name could not be resolved: a sentence for each. */
  readonly warnings: readonly string[];
}

const decimal = /^(0|[1-9][0-9]{0,9})$/;
const largestId = 0xffff_fffe;

export function resolveRules(
  names: AccessNames,
  agentUid: number,
  accounts: Accounts,
): AccessRules {
  const warnings: string[] = [];
  const resolve = (list: keyof AccessNames): Members => {
    const uids = new Set<number>();
    const gids = new Set<number>();
    for (const entry of names[list].filter((one) => one !== '*')) {
      const id = entry.startsWith('@')
        ? groupIdOf(entry.slice(1), accounts)
        : userIdOf(entry, accounts);
      if (id !== null) (entry.startsWith('@') ? gids : uids).add(id);
      else warnings.push(unresolved(`access.${list}`, entry));
    }
    return { everyone: names[list].includes('*'), uids, gids };
  };
  const members = { admin: resolve('admins'), app: resolve('apps'), reader: resolve('readers') };
  return { agentUid, members, warnings };
}

/**
 * The uid of a name, or of a uid in decimal; null where it cannot be resolved. A number is never looked up as a
 * name: a user could have been given that name.
 */
export function userIdOf(name: string, accounts: Pick<Accounts, 'userId'>): number | null {
  return decimal.test(name) ? idFrom(name) : accounts.userId(name);
}

function groupIdOf(name: string, accounts: Pick<Accounts, 'groupId'>): number | null {
  return decimal.test(name) ? idFrom(name) : accounts.groupId(name);
}

function idFrom(text: string): number | null {
  const id = Number(text);
  return id <= largestId ? id : null;
}

/** What is said of a name that allows nobody; `where` is the list that it stands in. */
export function unresolved(where: string, entry: string): string {
  const what = entry.startsWith('@') ? 'group' : 'user';
  return `${where}: there is no ${what} ${JSON.stringify(entry.replace(/^@/, ''))} here, so it allows nobody`;
}

/**
 * The scope of a peer without an API key: the highest that a list gives it. The groups are those that its process
 * has, as for files; a change of a group's members counts from their next login on. A client of the network is in no
 * list: it has what its listener gives it.
 */
export function scopeOf(peer: Peer, rules: AccessRules): Scope {
  if (peer.kind === 'network') return peer.scope;
  if (peer.uid === 0 || peer.uid === rules.agentUid) return 'admin';
  const highest = scopes.findLast(
    (scope) => scope !== 'none' && isMember(peer, rules.members[scope]),
  );
  return highest ?? 'none';
}

function isMember({ uid, gid, groups }: PeerCredentials, members: Members): boolean {
  if (members.everyone || members.uids.has(uid) || members.gids.has(gid)) return true;
  return groups.some((group) => members.gids.has(group));
}
