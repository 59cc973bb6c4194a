import { parseTime } from '../../../base/rfc3339.ts';
import { parseSshTime } from '../../../formats/ssh/time.ts';
import { SshFormatError } from '../../../formats/ssh/wire.ts';
import { UsageError } from '../../shell/failure.ts';

/**
 * The time of `--at`, milliseconds since the epoch: RFC 3339, or as ssh-keygen takes it; null where none is given.
 * UsageError for everything else.
 */
export function timeOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const instant = parseTime(text);
  if (instant !== null) return instant.ms;
  try {
    return parseSshTime('--at', text);
  } catch (error) {
    if (!(error instanceof SshFormatError)) throw error;
    throw new UsageError(`${error.message}, or RFC 3339: ${text}`, { cause: error });
  }
}
