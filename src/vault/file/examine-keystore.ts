import { AgentError } from '../../base/errors.ts';
import { inspected, ok, warning, type Finding } from '../../base/finding.ts';
import type { World } from '../../base/world.ts';
import { describeProblem } from '../../files/document-fields.ts';
import { checkRecordedTime } from '../examine-recorded-time.ts';
import { isLegacySeed } from './keystore.ts';
import { parseKeystore } from './keystore-format.ts';

/** The keystore of a file keyring: readable, closed to others, and a keystore. */
export function examineKeystore(
  name: string,
  path: string,
  { files, now }: Pick<World, 'files' | 'now'>,
): readonly Finding[] {
  const subject = `${name}: keystore`;
  let latestTime: string | null = null;
  const finding = inspected(subject, () => {
    const content = files.read(path);
    if (content === null) return warning(subject, `${path} is not there: the first start makes it`);
    try {
      if (isLegacySeed(content.bytes)) {
        return ok(subject, `${path} is a raw seed: the next start rewrites it as keystore v1`);
      }
      const text = new TextDecoder('utf-8', { fatal: true }).decode(content.bytes);
      const document = parseKeystore(text);
      latestTime = document.latest_time ?? null;
      return ok(
        subject,
        `${path} has ${document.keys.length} key(s), ${document.active} is active`,
      );
    } catch (thrown) {
      throw new AgentError(
        'backend_unavailable',
        `${path} is no keystore v1: ${describeProblem(thrown)}. Put it back from a copy, or correct it`,
      );
    } finally {
      content.bytes.fill(0);
    }
  });
  const remedy = `stop the agent and take "latest_time" out of ${path} and of its second copy`;
  return [finding, ...checkRecordedTime(name, { latestTime }, now(), remedy)];
}
