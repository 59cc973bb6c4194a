import { existsSync } from 'node:fs';
import { startSwtpm } from '../../support/swtpm.ts';
import { keyFilesIn } from '../../support/tpm-files.ts';
import type { DeviceToken } from '../device.ts';
import { TpmTools } from './tpm-tools.ts';

const pin = 'correct horse';

/** Says why it cannot run here; null: it can. */
export function swtpmUnavailable(): string | null {
  const missing = ['swtpm', 'tpm2_nvread'].filter((name) => !existsSync(`/usr/bin/${name}`));
  if (missing.length === 0) return null;
  return `${missing.join(' and ')} not found: scripts/install-test-deps puts it there`;
}

/** A simulated TPM (swtpm) that the agent talks to itself, on a socket that serves one program at a time. */
export async function makeBareTpm(): Promise<DeviceToken> {
  const tpm = await startSwtpm();
  return {
    place: (pinFile) =>
      `backend = "tpm"\ndevice = "${tpm.device}"\npcrs = [7]\n` +
      `pin-source = "${pinFile === null ? 'credential' : `file:${pinFile}`}"\n`,
    label: tpm.device,
    pin,
    environment: {},
    variables: [],
    libraryParameters: null,
    launcher: [],
    program: new TpmTools(tpm),
    objects: (stateDir) => Promise.resolve(keyFilesIn(stateDir)),
    remove: () => tpm.remove(),
  };
}
