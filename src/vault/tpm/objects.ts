import { createHash } from 'node:crypto';
import { AgentError } from '../../base/errors.ts';
import { emptySized, sized, u16, u32 } from '../../formats/tpm/bytes.ts';
import { ALG, CC, OBJECT, P256, RH } from '../../formats/tpm/constants.ts';
import { encodePcrSelection } from '../../formats/tpm/pcr.ts';
import {
  encodePublicArea,
  encodeSensitive,
  nameOf,
  type PublicArea,
} from '../../formats/tpm/public-area.ts';
import { readCreationData } from '../../formats/tpm/creation-data.ts';
import { rawP256, readSignature } from '../../formats/tpm/signature.ts';
import type { TpmConnection } from './connection.ts';
import type { Blob } from './loaded-objects.ts';
import type { TpmSession } from './session.ts';
import type { NamedHandle } from './tpm.ts';
import { TpmForged } from './tpm-error.ts';

/** What TPM2_Create answered. */
export interface CreatedObject extends Blob {
  readonly public: Buffer;
  readonly private: Buffer;
  /** TPMS_CREATION_DATA */
  readonly creationData: Buffer;
  /** TPMT_TK_CREATION: by it the TPM knows later that it has made this object so. */
  readonly ticket: Buffer;
}

/** An ES256 key that never leaves the TPM. A dictionary cannot be tried on its authorisation value. */
export const signingKeyTemplate = {
  type: 'ecc',
  nameAlg: ALG.SHA256,
  attributes:
    OBJECT.FIXED_TPM |
    OBJECT.FIXED_PARENT |
    OBJECT.SENSITIVE_DATA_ORIGIN |
    OBJECT.USER_WITH_AUTH |
    OBJECT.NO_DA |
    OBJECT.SIGN,
  authPolicy: Buffer.alloc(0),
  symmetric: null,
  scheme: null,
  curve: P256,
  x: Buffer.alloc(0),
  y: Buffer.alloc(0),
} satisfies PublicArea;

/**
 * TPM2_Create under the storage root. `data`: what is sealed; empty for a key. `pcrs`: noted in the creation data,
 * nothing else. What goes in and the private part that comes out are encrypted on the way.
 */
export async function createObject(
  connection: TpmConnection,
  options: {
    readonly template: PublicArea;
    readonly auth: Uint8Array;
    readonly data: Uint8Array;
    readonly outsideInfo: Uint8Array;
    readonly pcrs: readonly number[];
  },
): Promise<CreatedObject> {
  const { template, auth, data, outsideInfo, pcrs } = options;
  const sensitive = encodeSensitive(auth, data);
  const parameters = Buffer.concat([
    sensitive,
    sized(encodePublicArea(template)),
    sized(outsideInfo),
    encodePcrSelection(pcrs),
  ]);
  sensitive.fill(0);
  const { tpm, root } = connection;
  try {
    const answer = await connection.objects.withRoom(() =>
      tpm.run({ code: CC.Create, handles: [root], parameters }, [
        connection.authorized(undefined, { command: true, response: true }),
      ]),
    );
    const { parameters: reader } = answer;
    const [privateBytes, publicBytes] = [copy(reader.sized()), copy(reader.sized())];
    const [creationData, creationHash] = [copy(reader.sized()), reader.sized()];
    const ticket = copy(reader.rest());
    const { parentName } = readCreationData(creationData);
    if (!parentName.equals(root.name) || !sha256(creationData).equals(creationHash)) {
      throw new TpmForged('it made an object elsewhere than it was told');
    }
    return { private: privateBytes, public: publicBytes, creationData, ticket };
  } finally {
    parameters.fill(0);
  }
}

/** The public area as the TPM has it of a loaded object, with a proof that it says so itself. */
export async function readPublic(connection: TpmConnection, object: NamedHandle): Promise<Buffer> {
  const { parameters } = await connection.tpm.run({ code: CC.ReadPublic, handles: [object] }, [
    connection.authorized(undefined, { response: true }),
  ]);
  const area = copy(parameters.sized());
  if (nameOf(area).equals(object.name)) return area;
  throw new TpmForged('it shows another object than it has loaded');
}

/**
 * TPM2_CertifyCreation without a signature: the TPM checks its own ticket, and so says that it has made this object
 * itself, with this creation data. Throws `not_supported` where it did not.
 */
export async function checkCreation(
  connection: TpmConnection,
  object: NamedHandle,
  { creationData, ticket }: Pick<CreatedObject, 'creationData' | 'ticket'>,
): Promise<void> {
  const nobody = { handle: RH.NULL, name: u32(RH.NULL) };
  const creationHash = sha256(creationData);
  const { parameters } = await connection.tpm.run(
    {
      code: CC.CertifyCreation,
      handles: [nobody, object],
      parameters: Buffer.concat([emptySized, sized(creationHash), u16(ALG.NULL), ticket]),
    },
    [connection.authorized()],
  );
  const attested = parameters.sized();
  // TPMS_CREATION_INFO, at the end: the object's name and the digest of the creation data.
  const end = Buffer.concat([sized(object.name), sized(creationHash)]);
  if (attested.subarray(-end.length).equals(end)) return;
  throw new AgentError('not_supported', 'the TPM does not say that it made this key');
}

/** TPM2_Sign, ECDSA over a SHA-256 digest: r‖s, 64 bytes. */
export async function signDigest(
  connection: TpmConnection,
  key: NamedHandle,
  auth: Uint8Array,
  digest: Uint8Array,
): Promise<Buffer> {
  const { parameters } = await connection.tpm.run(
    {
      code: CC.Sign,
      handles: [key],
      parameters: Buffer.concat([
        sized(digest),
        u16(ALG.ECDSA),
        u16(ALG.SHA256),
        noTicket, // the key is not restricted: it signs any digest
      ]),
    },
    [connection.authorized(auth)],
  );
  return rawP256(readSignature(parameters));
}

/** TPMT_TK_HASHCHECK of nothing. */
const noTicket = Buffer.concat([u16(0x8024), u32(RH.NULL), u16(0)]);

/** TPM2_Unseal. `session`: one that has fulfilled its policy, or null where it has none. */
export async function unseal(
  connection: TpmConnection,
  object: NamedHandle,
  auth: Uint8Array,
  session: TpmSession | null,
): Promise<Buffer> {
  const hides = { command: false, response: true };
  const authorization =
    session === null ? connection.authorized(auth, hides) : { session, authValue: auth, hides };
  const { parameters } = await connection.tpm.run({ code: CC.Unseal, handles: [object] }, [
    authorization,
  ]);
  const view = parameters.sized();
  const data = copy(view);
  view.fill(0);
  return data;
}

function copy(view: Buffer): Buffer {
  return Buffer.from(view);
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
