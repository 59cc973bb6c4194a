import { createECDH } from 'node:crypto';
import { sized, u16, u32, u8 } from '../../formats/tpm/bytes.ts';
import { ALG, CC, RH, SE } from '../../formats/tpm/constants.ts';
import { kdfa, kdfe } from '../../formats/tpm/kdf.ts';
import { encodePcrSelection } from '../../formats/tpm/pcr.ts';
import { TpmSession } from './session.ts';
import type { StorageRoot } from './storage-root.ts';
import type { Tpm } from './tpm.ts';
import type { TpmWorld } from './tpm-world.ts';

const coordinate = 32;

/** A session that is salted to the storage root key: Part 3, 11.1 and Part 1, C.6.1. */
export async function startSession(
  tpm: Tpm,
  root: StorageRoot,
  kind: keyof typeof SE,
  { randomBytes }: Pick<TpmWorld, 'randomBytes'>,
): Promise<TpmSession> {
  const ephemeral = createECDH('prime256v1');
  const point = ephemeral.generateKeys();
  const [x, y] = [point.subarray(1, 1 + coordinate), point.subarray(1 + coordinate)];
  const z = ephemeral.computeSecret(root.point);
  const salt = kdfe(z, 'SECRET', x, root.point.subarray(1, 1 + coordinate));
  z.fill(0);
  const nonceCaller = randomBytes(16);
  const { handle, parameters } = await tpm.run({
    code: CC.StartAuthSession,
    handles: [root, { handle: RH.NULL, name: u32(RH.NULL) }],
    parameters: Buffer.concat([
      sized(nonceCaller),
      sized(Buffer.concat([sized(x), sized(y)])),
      u8(SE[kind]),
      ...[ALG.AES, 128, ALG.CFB, ALG.SHA256].map(u16),
    ]),
    answersHandle: true,
  });
  const nonceTpm = Buffer.from(parameters.sized());
  const key = kdfa(salt, 'ATH', nonceTpm, nonceCaller, 256);
  salt.fill(0);
  return new TpmSession({ handle, key, nonceTpm, isPolicy: kind === 'POLICY', randomBytes });
}

/** Lets go of a session or of a loaded object. */
export async function flush(tpm: Tpm, handle: number): Promise<void> {
  await tpm.run({ code: CC.FlushContext, handles: [], parameters: u32(handle) });
}

/** TPM2_PolicyPCR with the values that the registers have now, and TPM2_PolicyAuthValue where there is a PIN. */
export async function fulfilPolicy(
  tpm: Tpm,
  session: TpmSession,
  { pcrs, pin }: { readonly pcrs: readonly number[]; readonly pin: boolean },
): Promise<void> {
  const handles = [{ handle: session.handle, name: u32(session.handle) }];
  if (pcrs.length > 0) {
    const parameters = Buffer.concat([u16(0), encodePcrSelection(pcrs)]);
    await tpm.run({ code: CC.PolicyPCR, handles, parameters });
  }
  if (!pin) return;
  await tpm.run({ code: CC.PolicyAuthValue, handles });
  session.provesAuthValue = true;
}
