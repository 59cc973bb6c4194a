import { caSlot } from '../../../agent/configured-ca.ts';
import type { CaSettings } from '../../../config/settings.ts';
import { kidOf } from '../../../algorithms/kid.ts';
import type { World } from '../../../base/world.ts';
import { requireSeed } from '../../../vault/file/seed-file.ts';
import { publicKeyOf } from '../../../vault/file/seed.ts';
import { lookedAt, ok, warning, type Finding } from './finding.ts';
import { checkModule } from './module.ts';
import { checkPin } from './pin.ts';
import type { ProbeModule } from './probe.ts';
import { judgeProbe } from './token.ts';

export interface CaLook {
  readonly world: Pick<World, 'now' | 'randomBytes' | 'files'>;
  readonly probe: ProbeModule;
  /** For systemd credentials. */
  readonly credentialsDirectory: string | null;
}

/** The key of the cluster CA: its file, or its token as far as that can be seen without a login. */
export async function checkClusterCa(
  ca: CaSettings,
  { world, probe, credentialsDirectory }: CaLook,
): Promise<readonly Finding[]> {
  const slot = caSlot(ca);
  if (slot.backend === 'file') return [checkFile(slot.path, world)];
  const token = {
    ...slot,
    algorithm: 'ed25519',
    environment: [],
    libraryParameters: null,
  } as const;
  const { finding, path } = checkModule(token);
  return [
    finding,
    ...(path === null ? [] : judgeProbe(token, await probe(path, token))),
    checkPin(token, credentialsDirectory, world),
  ];
}

function checkFile(path: string, { files }: Pick<World, 'files'>): Finding {
  const subject = 'cluster CA';
  return lookedAt(subject, () => {
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
