import type { Files } from '../../../base/files.ts';
import { failure, failureOf, ok, warning, type Finding } from '../../../base/finding.ts';
import { configuredStore } from '../../../agent/configured-store.ts';
import type { KeyringSettings } from '../../../config/keyring-settings.ts';
import type { LookedAt, RecordStore } from '../../../keyring/record-store.ts';
import { repairCommand } from '../../../keyring/repair-command.ts';
import { checkRecordedTime } from '../../../vault/examine-recorded-time.ts';
import { kindOf } from '../../../vault/kinds/kinds.ts';

/**
 * The key records alone, where they are apart from the keys: whether they are the newest only the token can say, to who
 * has its PIN.
 */
export async function checkRecords(
  keyring: KeyringSettings,
  files: Files,
  now: number,
): Promise<readonly Finding[]> {
  if (kindOf(keyring).records(keyring).kept === 'with_keys') return [];
  const { name } = keyring;
  const store = configuredStore(keyring, files);
  const subject = `${name}: ${store.noun}`;
  let found: LookedAt;
  try {
    found = await store.look();
  } catch (thrown) {
    return [failureOf(subject, thrown)];
  }
  const { records } = found;
  const latestTime = records.found === 'readable' ? records.state.latestTime : null;
  const remedy = `stop the agent, agentctl reconcile --keyring ${name} --reset-clock --apply`;
  return [
    judged(subject, name, store, found),
    ...checkRecordedTime(name, { latestTime }, now, remedy),
  ];
}

function judged(
  subject: string,
  keyring: string,
  { location, noun }: RecordStore,
  { records, counter }: LookedAt,
): Finding {
  switch (records.found) {
    case 'missing':
      return warning(
        subject,
        `${location} is not there: right before the first start; else put it back, or: ${repairCommand(keyring)}`,
      );
    case 'broken':
      return failure(
        subject,
        `${location} is not a ${noun} of this keyring: ${records.reason}. Put it back from a copy, or: ` +
          repairCommand(keyring),
      );
    case 'readable': {
      const { keys, active } = records.state;
      const text = `${location} has ${keys.size} record(s), ${active ?? 'none'} is active`;
      if (counter !== null) {
        return ok(subject, `${text}; sealed, counter ${counter} (checked when the agent starts)`);
      }
      return warning(
        subject,
        `${text}; without a seal, so an older copy is not noticed: the next start seals it, where the token ` +
          'can keep a seal (status says so)',
      );
    }
  }
}
