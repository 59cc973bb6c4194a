import { join } from 'node:path';
import type { Files } from '../../../base/files.ts';
import { failure, failureOf, ok, warning, type Finding } from '../../../base/finding.ts';
import { forgetCommand } from '../../../base/forget-command.ts';
import { knownHead } from '../../../agent/state-manifest.ts';
import { examineLog } from '../../../audit/log-directory.ts';
import type { Settings } from '../../../config/settings.ts';
import { readManifest } from '../../../files/manifest/manifest-file.ts';
import type { Manifest } from '../../../files/manifest/manifest-format.ts';
import { lstatOrNull } from '../../../files/ownership.ts';

const subject = 'manifest';

/** What the state dir must have, by its manifest, and what of it is gone. `running`: an agent writes there. */
export function checkManifest(
  settings: Settings,
  files: Files,
  running: boolean,
): readonly Finding[] {
  const { stateDir } = settings;
  try {
    const { manifest, faults } = readManifest(stateDir, files);
    if (manifest === null) {
      return [
        ok(subject, `${stateDir} has none yet: what it has is written down at the next start`),
      ];
    }
    const repaired = faults.map((fault) =>
      warning(subject, `${fault}: the next start makes it anew from the other copy`),
    );
    const missing = [
      ...missingKeyrings(settings, manifest),
      ...missingFiles(stateDir, manifest),
      ...(running ? [] : missingRecords(settings, manifest)),
    ];
    if (missing.length > 0) return [...repaired, ...missing];
    const count = manifest.keyrings.size;
    return [...repaired, ok(subject, `what ${stateDir} must have is there: ${count} keyring(s)`)];
  } catch (thrown) {
    return [failureOf(subject, thrown)];
  }
}

function missingKeyrings(
  { keyrings }: Settings,
  { keyrings: known }: Manifest,
): readonly Finding[] {
  return keyrings.flatMap(({ name }) => {
    const entry = known.get(name);
    if (entry === undefined || lstatOrNull(entry.location) !== null) return [];
    return failure(
      subject,
      `${entry.location} of keyring ${name} is gone, and it had key(s) ${entry.kids.join(', ')}: put it back; or ` +
        `give it up knowingly: ${forgetCommand('keyring', name)}`,
    );
  });
}

function missingFiles(stateDir: string, { database, apiKeys }: Manifest): readonly Finding[] {
  const wanted = [
    ...(database === null ? [] : [['agent.db', 'database'] as const]),
    ...(apiKeys?.isThere === true ? [['api-keys.json', 'api-keys'] as const] : []),
  ];
  return wanted.flatMap(([name, part]) => {
    const path = join(stateDir, name);
    if (lstatOrNull(path) !== null) return [];
    return failure(
      subject,
      `${path} is gone: put it back; or give it up knowingly: ${forgetCommand(part)}`,
    );
  });
}

/** Of the audit log, which is looked at only while nobody writes it. */
function missingRecords({ stateDir, audit }: Settings, manifest: Manifest): readonly Finding[] {
  const head = knownHead(stateDir, manifest);
  if (audit === null || head === null) return [];
  try {
    if (lstatOrNull(audit.dir) === null) {
      return [
        failure(
          subject,
          `${audit.dir} is gone, and the log had ${head.seq} record(s): put it back; or begin a new one knowingly: ` +
            forgetCommand('audit'),
        ),
      ];
    }
    examineLog(audit.dir, head);
    return [];
  } catch (thrown) {
    return [failureOf(subject, thrown)];
  }
}
