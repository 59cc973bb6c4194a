import { AgentError } from '../base/errors.ts';
import {
  boundsOf,
  hasScopeOn,
  isAtLeast,
  purposesOn,
  purposesOverAll,
  scopeOn,
  scopeOverAll,
  type Grant,
} from './grant.ts';
import {
  covers,
  inWords,
  listed,
  nameOf,
  purposeKinds,
  purposesOf,
  type Purpose,
  type Purposes,
} from './purposes.ts';
import type { Scope } from '../api/principal.ts';

/**
 * What a method acts on: one keyring; the keyring of the cluster, which the configuration names; the agent as a
 * whole, which whoever is for some keyrings alone must not touch; or nothing but the caller's own.
 */
export type Reach = 'keyring' | 'cluster' | 'agent' | 'caller';

export interface Needs {
  readonly scope: Scope;
  readonly reach: Reach;
}

/** What a call has signed. */
interface Signing {
  /** What the method makes signatures for: all of them are needed. */
  readonly purposes: readonly Purpose[];
  /** What the caller's own words in it amount to; null: what the messages are, where they are signed as they are. */
  readonly content: readonly Purpose[] | null;
  readonly messages: readonly Uint8Array[];
}

/** Throws `forbidden` unless the caller's scope is the one needed or above it, and its reach as far. */
export function authorize(grant: Grant, method: string, needs: Needs): void {
  const { scope } = grant.principal;
  if (!isAtLeast(scope, needs.scope)) {
    throw forbidden(
      `${method} needs scope ${needs.scope}; ${whoIs(grant)} has scope ${scope}`,
      needs,
    );
  }
  if (needs.reach === 'agent' && !isAtLeast(scopeOverAll(grant), needs.scope)) {
    throw forbidden(
      `${method} is about the whole agent; ${whoIs(grant)} is for some keyrings alone`,
      needs,
    );
  }
}

/** Throws `forbidden` where the caller may not do that with that keyring, whether or not there is one of that name. */
export function authorizeKeyring(
  grant: Grant,
  method: string,
  needs: Needs,
  keyring: string,
): void {
  if (hasScopeOn(grant, keyring, needs.scope)) return;
  const scope = scopeOn(grant, keyring);
  throw forbidden(
    scope === 'none'
      ? `${method}: ${whoIs(grant)} is not for that keyring`
      : `${method} needs scope ${needs.scope}; ${whoIs(grant)} has scope ${scope} on that keyring`,
    needs,
  );
}

/**
 * Throws `forbidden`, with `data.purposes`, where the keyring's keys or this caller may not sign for what the method
 * makes, or for what the message is by itself.
 */
export function authorizePurposes(
  grant: Grant,
  method: string,
  needs: Needs,
  keyring: string,
  signing: Signing,
): void {
  if (signing.purposes.length === 0) return;
  const may = purposesOn(grant, keyring, needs.scope);
  if (may === null && boundsOf(grant, keyring).wordedByAgent.size === 0) return;
  requirePurposes({ grant, method, needs, keyring, may }, signing);
}

interface Asking {
  readonly grant: Grant;
  readonly method: string;
  readonly needs: Needs;
  readonly keyring: string;
  readonly may: Purposes;
}

function requirePurposes(
  { grant, method, needs, keyring, may }: Asking,
  { purposes, content, messages }: Signing,
): void {
  const { wordedByAgent } = boundsOf(grant, keyring);
  const refuse = (why: string, purpose: Purpose): AgentError => {
    const details = { needs: needs.scope, purpose, purposes: listed(may) };
    return new AgentError('forbidden', `${method}: ${why}`, { details });
  };
  const there = (): string => `on keyring ${keyring} ${whoIs(grant)} has purposes: ${inWords(may)}`;
  for (const purpose of purposes) {
    if (covers(may, purpose)) continue;
    throw refuse(`it needs purpose ${purpose}; ${there()}${otherWays(purpose, may)}`, purpose);
  }
  const found = content ?? (purposes.includes('raw') ? messages.flatMap(purposesOf) : []);
  for (const purpose of found) {
    const { noun, maker } = purposeKinds[nameOf(purpose)];
    const what = `what is to be signed is ${noun}`;
    if (!covers(may, purpose)) {
      throw refuse(`${what}, which needs purpose ${purpose} too; ${there()}`, purpose);
    }
    if (wordedByAgent.has(nameOf(purpose))) {
      const why = `the configuration says what stands in those of keyring ${keyring}`;
      throw refuse(`${what}, and ${why}: ${maker}`, purpose);
    }
  }
}

/** Throws `forbidden` where an API key would have purposes that whoever makes or changes it has not. */
export function authorizeHandingOn(
  grant: Grant,
  method: string,
  needs: Needs,
  purposes: Purposes,
): void {
  const own = purposesOverAll(grant, needs.scope);
  if (own === null) return;
  const more = purposes === null ? null : [...purposes].filter((one) => !covers(own, one));
  if (more?.length === 0) return;
  const what = more === null ? 'all purposes' : `purpose ${more.join(', ')}`;
  throw new AgentError(
    'forbidden',
    `${method}: the key would have ${what}; ${whoIs(grant)} has ${inWords(own)}: name a part of these (--purpose)`,
    { details: { needs: needs.scope, purposes: listed(own) } },
  );
}

/** For whoever asks for bytes as they are: what makes the formats that there are. */
function otherWays(purpose: Purpose, may: ReturnType<typeof purposesOn>): string {
  if (purpose !== 'raw' || may === null || may.size === 0) return '';
  const makers = new Set(listed(may).map((one) => purposeKinds[nameOf(one)].maker));
  return ` (by ${[...makers].join('; ')})`;
}

function whoIs({ principal }: Grant): string {
  const { kind, name, uid } = principal;
  if (kind === 'api_key') return `API key ${name}`;
  return uid === null ? name : `${name} (uid ${uid})`;
}

function forbidden(message: string, { scope }: Needs): AgentError {
  return new AgentError('forbidden', message, { details: { needs: scope } });
}
