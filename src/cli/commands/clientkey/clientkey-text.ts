import type { ClientKeyView } from '../../../api/client-keys.ts';
import { UsageError } from '../../shell/failure.ts';

/** Whose a key is, in one phrase. */
export function ownerText({ actor }: Pick<ClientKeyView, 'actor'>): string {
  if (actor.kind === 'api_key') return `API key ${actor.id}`;
  return actor.name === null ? `uid ${actor.id}` : `${actor.name} (uid ${actor.id})`;
}

/** `user:NAME`, `user:UID` or `api_key:ID` as the wire has it. UsageError for anything else. */
export function actorParam(text: string | undefined): { kind: string; id: string } | undefined {
  if (text === undefined) return undefined;
  const [, kind, id] = /^(user|api_key):(.+)$/.exec(text) ?? [];
  if (kind !== undefined && id !== undefined) return { kind, id };
  throw new UsageError(`--actor: user:NAME or api_key:ID, not ${text}`);
}
