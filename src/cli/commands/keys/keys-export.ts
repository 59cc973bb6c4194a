import { AgentError } from '../../../base/errors.ts';
import { algorithmNames } from '../../../algorithms/algorithm-names.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import type { GlobalOptions, Invocation } from '../../shell/terminal.ts';
import { unknownKid, validKeys, type KeyringKey } from '../signatures/valid-keys.ts';

/** One entry a form of public keys, with the newline at its end. */
const forms = {
  b64: ({ bytes }: KeyringKey) => `${bytes.toString('base64url')}\n`,
  pem,
  jwk: async (key: KeyringKey) => {
    const { jwkOf } = await import('../../../formats/jose/jwks.ts');
    return `${JSON.stringify(jwkOf(key))}\n`;
  },
  ssh: async ({ algorithm, bytes, kid }: KeyringKey, { keyring = 'default' }: GlobalOptions) => {
    const { publicKeyLine } = await import('../../../formats/ssh/public-key.ts');
    return `${publicKeyLine(algorithm, bytes)} ${keyring}/${kid}\n`;
  },
  minisign: async ({ algorithm, bytes, kid }: KeyringKey) => {
    if (algorithm !== 'ed25519') {
      const why = `minisign knows Ed25519 alone, and key ${kid} is ${algorithm}`;
      throw new AgentError('not_supported', `${why}: the other formats take both`);
    }
    const { encodePublicKeyFile } = await import('../../../formats/minisign/public-key.ts');
    return encodePublicKeyFile(bytes);
  },
} satisfies Record<string, (key: KeyringKey, globals: GlobalOptions) => string | Promise<string>>;
export type KeyFormat = keyof typeof forms;

/** `agentctl keys show KID --format …`: the public key of a valid or prepared key, and nothing else. */
export async function exportKey({
  terminal,
  globals,
  args,
  options,
}: Invocation<{ readonly format: KeyFormat }>): Promise<number> {
  if (globals.json) {
    throw new UsageError('--json prints all that is known of the key: leave out --format');
  }
  const kid = args[0] ?? '';
  const key = (await validKeys(globals, { prepared: true })).find((one) => one.kid === kid);
  if (key === undefined) throw unknownKid(kid, globals);
  terminal.stdout.write(await forms[options.format](key, globals));
  return exitCodes.done;
}

/** SubjectPublicKeyInfo (RFC 7468, section 13). */
function pem({ algorithm, bytes }: KeyringKey): string {
  const der = Buffer.concat([algorithmNames[algorithm].spkiPrefix, bytes]);
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----', ''].join('\n');
}
