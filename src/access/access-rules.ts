import { scopes, type Scope } from '../api/principal.ts';
import type { Allowance } from './grant.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';
import type { Peer } from './principal.ts';
import type { Purposes } from './purposes.ts';

/** `[access]` as it is configured: names of users, `@` and names of groups, ids in decimal, `*` for everybody. */
export interface AccessNames {
  readonly admins: readonly string[];
  readonly apps: readonly string[];
  readonly readers: readonly string[];
  /** `[[access.rules]]`; the three lists are over all keyrings, for all purposes. */
  readonly rules?: readonly AccessRuleNames[];
}

/** One of `[[access.rules]]`. */
export interface AccessRuleNames {
  readonly who: readonly string[];
  readonly scope: Exclude<Scope, 'none'>;
  /** null: all. */
  readonly keyrings: readonly string[] | null;
  readonly purposes: Purposes;
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
  readonly rules: readonly { readonly members: Members; readonly gives: Allowance }[];
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
  const resolve = (where: string, entries: readonly string[]): Members => {
    const uids = new Set<number>();
    const gids = new Set<number>();
    for (const entry of entries.filter((one) => one !== '*')) {
      const id = entry.startsWith('@')
        ? groupIdOf(entry.slice(1), accounts)
        : userIdOf(entry, accounts);
      if (id !== null) (entry.startsWith('@') ? gids : uids).add(id);
      else warnings.push(unresolved(where, entry));
    }
    return { everyone: entries.includes('*'), uids, gids };
  };
  const members = {
    admin: resolve('access.admins', names.admins),
    app: resolve('access.apps', names.apps),
    reader: resolve('access.readers', names.readers),
  };
  const rules = (names.rules ?? []).map(({ who, scope, keyrings, purposes }, at) => ({
    members: resolve(`access.rules.${at}.who`, who),
    gives: { scope, keyrings: keyrings && new Set(keyrings), purposes },
  }));
  return { agentUid, members, rules, warnings };
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
 * What a peer without an API key has: the highest scope that a list gives it, and what each rule gives that names it.
 * Root and the agent's user need none.
 */
export function allowancesOf(peer: Peer, rules: AccessRules): readonly Allowance[] {
  const scope = scopeOf(peer, rules);
  const ofLists: readonly Allowance[] =
    scope === 'none' ? [] : [{ scope, keyrings: null, purposes: null }];
  if (peer.kind === 'network' || isOwner(peer, rules)) return ofLists;
  const ofRules = rules.rules.filter(({ members }) => isMember(peer, members));
  return [...ofLists, ...ofRules.map(({ gives }) => gives)];
}

/** Whether a list or a rule gives the peer anything, on any keyring. */
export function isNamed(peer: Peer, rules: AccessRules): boolean {
  return allowancesOf(peer, rules).length > 0;
}

/**
 * The scope of a peer without an API key over all keyrings: the highest that a list gives it. The groups are those that
 * its process has, as for files; a change of a group's members counts from their next login on. A client of the network
 * is in no list: it has what its listener gives it.
 */
export function scopeOf(peer: Peer, rules: AccessRules): Scope {
  if (peer.kind === 'network') return peer.scope;
  if (isOwner(peer, rules)) return 'admin';
  const highest = scopes.findLast(
    (scope) => scope !== 'none' && isMember(peer, rules.members[scope]),
  );
  return highest ?? 'none';
}

function isOwner({ uid }: PeerCredentials, { agentUid }: AccessRules): boolean {
  return uid === 0 || uid === agentUid;
}

function isMember({ uid, gid, groups }: PeerCredentials, members: Members): boolean {
  if (members.everyone || members.uids.has(uid) || members.gids.has(gid)) return true;
  return groups.some((group) => members.gids.has(group));
}
