import type { Resealed, ResealRequest, ResealWorld } from '../keyring-reseal.ts';
import type { Named } from '../kind-calls.ts';
import { TpmDevices } from './device.ts';
import { readKeyFile, type Protection } from './stored/key-file.ts';
import { KeyFolder } from './stored/key-folder.ts';
import type { TpmSettings } from './place.ts';
import { resealKeyring } from './reseal.ts';

/** As `resealKeyring`, for a keyring as it is configured. */
export async function resealConfigured(
  settings: Named<TpmSettings>,
  { from, pin }: ResealRequest,
  world: ResealWorld,
): Promise<Resealed> {
  const { name: keyring, device, folder, pcrs, recovery, callTimeout } = settings;
  const done = await resealKeyring({
    ...{ device, folder, keyring, from, recovery, world },
    to: { pcrs, pin },
    timeLimit: callTimeout,
    devices: new TpmDevices(world),
    files: world.files,
  });
  const open = pcrs.length === 0 && pin === null ? [] : keysWithoutAuth(folder, world);
  return {
    before: done.before === null ? null : inWords(done.before),
    after: inWords(done.after),
    moved: done.moved,
    recovery: done.recovery,
    notes: [
      ...(done.moved && settings.algorithm === 'es256'
        ? [
            'the ES256 keys of this keyring are in the TPM that made them, and cannot be used in this one: revoke them',
          ]
        : []),
      ...(done.moved
        ? [
            'this TPM has no counter of the key records yet: the agent refuses them until they are accepted, with ' +
              `agentctl reconcile --keyring ${keyring} --accept-records --apply`,
          ]
        : []),
      ...(open.length === 0
        ? []
        : [
            `made before, and usable in this TPM without PIN and PCRs by whoever can read their files: ${open.join(', ')}; ` +
              'rotate them',
          ]),
    ],
  };
}

function inWords({ pcrs, pin }: Protection): string {
  const parts = [
    ...(pcrs.length === 0 ? [] : [`PCR ${pcrs.join(', ')}`]),
    ...(pin ? ['a PIN'] : []),
  ];
  return parts.length === 0 ? 'the TPM alone' : parts.join(' and ');
}

/** Object ids of keys whose files say that they take no authorisation. */
function keysWithoutAuth(path: string, { files }: Pick<ResealWorld, 'files'>): readonly string[] {
  const folder = new KeyFolder(path, files);
  return folder
    .names()
    .filter((name) => /^[0-9a-f]{32}\.pem$/.test(name))
    .filter((name) => readKeyFile(folder, name, 'loadable')?.emptyAuth === true)
    .map((name) => name.slice(0, 32));
}
