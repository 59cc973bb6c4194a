import { AgentError, describeFailure } from '../../base/errors.ts';
import { emptySized, sized } from '../../formats/tpm/bytes.ts';
import { CC } from '../../formats/tpm/constants.ts';
import { pointOf, readPublicArea } from '../../formats/tpm/public-area.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import { parseTss2Key, type Tss2Key } from '../../formats/tpm/tss2-key.ts';
import type { ForeignKey } from '../vault.ts';
import type { TpmConnection } from './connection.ts';
import { isCode } from './tpm-error.ts';

/** A key of this TPM that another program made: OpenSSL's provider, ssh-tpm-agent, tpm2-tools. */

export interface ForeignTpmKey {
  readonly file: Tss2Key;
  /** null: the empty one. That the file asks for one or not is not believed: tpm2_encodeobject writes the contrary. */
  readonly password: Buffer | null;
}

const makeOneHere =
  'make one in this TPM, such as with: openssl genpkey -provider tpm2 -algorithm EC -pkeyopt group:P-256';

/** Bytes; several times what a P-256 key has. Some TPMs answer a command beyond their own limit as if it were two. */
const longestPrivate = 2048;

/** Why a key file of that type has no key that stays in one TPM; null: it may have. */
const typeFaults: Readonly<Record<Tss2Key['type'], string | null>> = {
  loadable: null,
  sealed: 'it has sealed data, and no key',
  importable: `its key comes from outside of the TPM, so that it may be elsewhere too: ${makeOneHere}`,
};

/** The password stays the caller's. Throws `invalid_params` and `not_supported`, before any TPM is asked. */
export function readForeignKey({ file: text, password }: ForeignKey): ForeignTpmKey {
  const file = parsed(text);
  const fault = typeFaults[file.type];
  if (fault !== null) throw new AgentError('not_supported', `the key file is refused: ${fault}`);
  if (file.policy.length > 0) {
    throw new AgentError(
      'not_supported',
      'the key file is refused: its key has a policy, and this program fulfils none but its own',
    );
  }
  return { file, password };
}

function parsed(text: string): Tss2Key {
  try {
    const file = parseTss2Key(text);
    if (file.type === 'loadable' && pointOf(readPublicArea(file.public)) === null) {
      throw new Error('it is no key of P-256');
    }
    if (file.private.length > longestPrivate) throw new Error('its private part is too long');
    return file;
  } catch (failure) {
    throw new AgentError(
      'invalid_params',
      `no key can be imported from that: ${describeFailure(failure)}`,
      { cause: failure },
    );
  }
}

/** What a TPM says of parts that do not have the form of a key: their length, or what the public one says. */
const damage = [RC.SIZE, RC.VALUE, RC.ATTRIBUTES, RC.SCHEME] as const;

/**
 * The key with this authorisation value in the place of its own: a key file under the storage root of the connection.
 * What the other program has of it stays as it is.
 */
export async function rebind(
  connection: TpmConnection,
  { file, password }: ForeignTpmKey,
  auth: Uint8Array,
): Promise<Tss2Key> {
  const { parent } = connection.root;
  const object = await connection.objects.load(connection, file).catch((failure: unknown) => {
    if (isCode(failure, ...damage)) {
      throw new AgentError(
        'invalid_params',
        `no key can be imported from that: the key file is damaged, says the TPM (${failure.message})`,
        { cause: failure },
      );
    }
    if (!isCode(failure, RC.INTEGRITY)) throw failure;
    throw new AgentError(
      'invalid_params',
      'the key file is of another TPM, or its parent is another key than the P-256 storage root key (the file says ' +
        `0x${file.parent.toString(16)}, and this keyring has 0x${parent.toString(16)}): ${makeOneHere}`,
      { cause: failure },
    );
  });
  try {
    const { parameters } = await connection.tpm.run(
      {
        code: CC.ObjectChangeAuth,
        handles: [object, connection.root],
        parameters: auth.length === 0 ? emptySized : sized(auth),
      },
      [connection.authorized(password ?? Buffer.alloc(0), { command: true, response: true })],
    );
    const privateArea = Buffer.from(parameters.sized());
    return { ...file, parent, emptyAuth: auth.length === 0, private: privateArea };
  } catch (failure) {
    if (!isCode(failure, RC.AUTH_FAIL, RC.BAD_AUTH)) throw failure;
    throw new AgentError(
      'invalid_params',
      `${password === null ? 'the key has a password: give it (--password-file FILE). The TPM refused the empty one' : 'the TPM refused the password of the key'}, ` +
        'and may count that: after some more it locks itself for every program',
      { cause: failure },
    );
  } finally {
    // Loaded it has the authorisation value of before, under the same name.
    await connection.objects.unload(object).catch(() => null);
  }
}
