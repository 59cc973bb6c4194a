import { kidOf } from '../../../algorithms/kid.ts';
import type { SignedSshsig } from '../../../api/formats.ts';
import { decodePublicKey } from '../../../formats/ssh/public-key.ts';
import { decodeSshsig, type Sshsig } from '../../../formats/ssh/sshsig.ts';
import { SshFormatError } from '../../../formats/ssh/wire.ts';
import { digestOf } from '../../shell/digest.ts';
import { UsageError } from '../../shell/failure.ts';
import { ask } from '../../shell/session.ts';
import { keyringAlgorithm } from './jose-alg.ts';
import { notAsAsked } from './made-signature.ts';
import type { Signed, SignOptions } from './sign-options.ts';
import { defaultNamespace } from './sshsig-namespace.ts';
import type { Invocation } from '../../shell/terminal.ts';

const hash = 'sha512';

/** `--format sshsig`: what `ssh-keygen -Y verify` reads, of a file of any size. */
export async function signSshsig(invocation: Invocation<SignOptions>): Promise<Signed> {
  const { terminal, globals, args, options } = invocation;
  const { kid, namespace = defaultNamespace } = options;
  if (namespace === '') throw new UsageError('--namespace must not be empty');
  // Before the file is read, which may take long: that there is an agent with such a keyring.
  await keyringAlgorithm(globals);
  const digest = await digestOf(args[0], terminal, hash);
  const result = await ask<SignedSshsig>(globals, 'sign_sshsig', {
    ...{ keyring: globals.keyring, kid, namespace, hash_algorithm: hash },
    digest_b64: digest.toString('base64url'),
  });
  if (!isAsAsked(result, { kid, namespace })) throw notAsAsked();
  return { result, content: result.sshsig };
}

function isAsAsked(
  { kid, sshsig }: SignedSshsig,
  asked: { readonly kid: string | undefined; readonly namespace: string },
): boolean {
  const made = typeof sshsig === 'string' ? decoded(sshsig) : null;
  const key = made === null ? null : decodePublicKey(made.publicKey);
  if (made === null || key === null || kidOf(key.bytes) !== kid) return false;
  return made.namespace === asked.namespace && made.hash === hash && (asked.kid ?? kid) === kid;
}

function decoded(armored: string): Sshsig | null {
  try {
    return decodeSshsig(armored);
  } catch (failure) {
    if (failure instanceof SshFormatError) return null;
    throw failure;
  }
}
