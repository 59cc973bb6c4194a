import { encodeSshsig, sshsigMessage, type SshsigContext } from '../../../formats/ssh/sshsig.ts';
import { digestOf } from '../../shell/digest.ts';
import { UsageError } from '../../shell/failure.ts';
import { signedBy } from './made-signature.ts';
import type { Signed, SignOptions } from './sign-options.ts';
import { defaultNamespace } from './sshsig-namespace.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { signingKey } from './valid-keys.ts';

/** `--format sshsig`: what `ssh-keygen -Y verify` reads, of a file of any size. */
export async function signSshsig(invocation: Invocation<SignOptions>): Promise<Signed> {
  const { terminal, globals, args, options } = invocation;
  const namespace = options.namespace ?? defaultNamespace;
  if (namespace === '') throw new UsageError('--namespace must not be empty');
  // Before the file is read, which may take long. Should the key go into grace meanwhile, it still signs.
  const key = await signingKey(globals, options.kid);
  const context: SshsigContext = { namespace, reserved: Buffer.alloc(0), hash: 'sha512' };
  const digest = await digestOf(args[0], terminal, context.hash);
  const { result, bytes } = await signedBy(key, globals, sshsigMessage(context, digest));
  return { result, content: encodeSshsig(key, context, bytes) };
}
