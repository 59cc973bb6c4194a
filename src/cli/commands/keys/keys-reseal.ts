import { resealOffline } from '../../../agent/offline-reseal.ts';
import { openLibc } from '../../../native/libc.ts';
import type { PinPlace } from '../../../vault/pin-place.ts';
import { readPin } from '../../../vault/pins/read-pin.ts';
import { readIdentities } from '../../shell/identity-file.ts';
import { exitCodes } from '../../shell/failure.ts';
import { offlineSettings, type OfflineOptions } from '../../offline/offline-settings.ts';
import { offlineWorld } from '../../offline/offline-world.ts';
import { Output } from '../../shell/output.ts';
import { readPinInput } from '../../shell/pin-input.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface ResealOptions extends OfflineOptions {
  readonly oldPinFile?: string;
  readonly pinFile?: string;
  readonly identity?: string;
}

/** `agentctl keys reseal`: seals the key of a keyring anew, to what the configuration says. */
export async function resealKeyring(invocation: Invocation<ResealOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const { keyring = 'default' } = globals;
  const libc = openLibc();
  libc.refuseCoreDumps(); // the key is in this process for a moment
  process.umask(0o077);
  const { identity } = options;
  const credentialsDirectory = terminal.env['CREDENTIALS_DIRECTORY'] ?? null;
  const newPin = async ({ pinSource }: PinPlace): Promise<Buffer> =>
    readPin({ pinSource, keyring, credentialsDirectory }) ??
    (await readPinInput(options.pinFile, `${keyring}, from now on`, terminal));
  const result = await resealOffline({
    settings: offlineSettings(options, terminal),
    keyring,
    identities: identity === undefined ? null : await readIdentities(identity, terminal),
    world: offlineWorld(terminal, libc),
    libc,
    oldPin: () => readPinInput(options.oldPinFile, `${keyring}, until now`, terminal),
    newPin,
  });
  const output = new Output(terminal);
  if (globals.json) {
    output.json(result);
    return exitCodes.done;
  }
  output.line(`the key of keyring ${keyring} is sealed to ${result.after} now`);
  if (result.before !== null) output.line(`before it was sealed to ${result.before}`);
  output.line(
    result.recovery === null
      ? 'it has no recovery recipient: where the TPM breaks, is cleared, or its PCRs change for good, it is lost'
      : `recovery recipient: ${result.recovery}`,
  );
  for (const note of result.notes) output.line(`note: ${note}`);
  return exitCodes.done;
}
