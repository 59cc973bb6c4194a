import { kidOf } from '../../algorithms/kid.ts';
import { inspected, ok, warning, type Finding } from '../../base/finding.ts';
import type { World } from '../../base/world.ts';
import { requireSeed } from './seed-file.ts';
import { publicKeyOf } from './seed.ts';

/** The file of one key: there, closed to others, and a seed. */
export function examineSeedFile(
  subject: string,
  path: string,
  { files }: Pick<World, 'files'>,
): Finding {
  return inspected(subject, () => {
    const content = files.read(path);
    if (content === null) {
      return warning(
        subject,
        `${path} is not there: the first start makes it; where there was one, put it back from a copy`,
      );
    }
    try {
      requireSeed(path, content.bytes);
      return ok(
        subject,
        `${path} has key ${kidOf(publicKeyOf(content.bytes))}, and is closed to others`,
      );
    } finally {
      content.bytes.fill(0);
    }
  });
}
