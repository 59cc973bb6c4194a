import type { TokenKeyringSettings } from '../../../agent/configured-keyring.ts';
import { repairCommand } from '../../../keyring/repair-command.ts';
import type { Files } from '../../../base/files.ts';
import { Sidecar } from '../../../keyring/sidecar/sidecar.ts';
import { checkRecordedTime } from './clock.ts';
import { failure, lookedAt, ok, warning, type Finding } from './finding.ts';

/** The sidecar alone: whether it is the newest only the token can say, to who has its PIN. */
export function checkSidecar(
  { name, algorithm, sidecarPath }: TokenKeyringSettings,
  files: Files,
  now: number,
): readonly Finding[] {
  const subject = `${name}: sidecar`;
  let latestTime: string | null = null;
  const finding = lookedAt(subject, () => {
    const { records, counter } = new Sidecar(
      sidecarPath,
      { keyring: name, algorithm },
      files,
    ).look();
    switch (records.found) {
      case 'missing':
        return warning(
          subject,
          `${sidecarPath} is not there: right before the first start; else put it back, or: ${repairCommand(name)}`,
        );
      case 'broken':
        return failure(
          subject,
          `${sidecarPath} is not a sidecar of this keyring: ${records.reason}. Put it back from a copy, or: ` +
            repairCommand(name),
        );
      case 'readable': {
        latestTime = records.state.latestTime;
        const { keys, active } = records.state;
        const text = `${sidecarPath} has ${keys.size} record(s), ${active ?? 'none'} is active`;
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
  });
  const remedy = `stop the agent, agentctl reconcile --keyring ${name} --reset-clock --apply`;
  return [finding, ...checkRecordedTime(name, { latestTime }, now, remedy)];
}
