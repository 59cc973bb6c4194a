import { basename } from 'node:path';
import { AgentError } from '../../../base/errors.ts';
import { keyIdOf } from '../../../formats/minisign/key-id.ts';
import { encodeSignatureFile, globalMessage } from '../../../formats/minisign/signature.ts';
import {
  faultOfTrustedComment,
  usualTrustedComment,
} from '../../../formats/minisign/trusted-comment.ts';
import { digestOf } from '../../shell/digest.ts';
import { UsageError } from '../../shell/failure.ts';
import { signedBy } from './made-signature.ts';
import type { Signed, SignOptions } from './sign-options.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { signingKey } from './valid-keys.ts';

/** `--format minisign`: what `minisign -V` reads, prehashed, of a file of any size. */
export async function signMinisign(invocation: Invocation<SignOptions>): Promise<Signed> {
  const { terminal, globals, args, options } = invocation;
  const comment = trustedComment(invocation);
  const key = await signingKey(globals, options.kid);
  if (key.algorithm !== 'ed25519') {
    const why = `minisign knows Ed25519 alone, and keyring ${globals.keyring ?? 'default'} has ${key.algorithm} keys`;
    throw new AgentError('not_supported', `${why}: --format sshsig takes both`);
  }
  const digest = await digestOf(args[0], terminal, 'blake2b512');
  const { result, bytes: signature } = await signedBy(key, globals, digest);
  // Covers the first, and so cannot be made along with it.
  const covered = globalMessage(signature, comment);
  const { bytes: globalSignature } = await signedBy(key, globals, covered);
  const made = {
    isPrehashed: true,
    keyId: keyIdOf(key.bytes),
    signature,
    trustedComment: comment,
    globalSignature,
  };
  return { result, content: encodeSignatureFile(made, `signature by key ${key.kid}`) };
}

function trustedComment({ terminal, args, options }: Invocation<SignOptions>): Buffer {
  const [path] = args;
  const name = path === undefined || path === '-' ? null : basename(path);
  if (options.trustedComment === undefined && name !== null && /\p{Cc}/u.test(name)) {
    throw new UsageError('the name of the file has control characters: give --trusted-comment');
  }
  const comment = options.trustedComment ?? usualTrustedComment(name, terminal.now());
  const fault = faultOfTrustedComment(comment);
  if (fault !== null) throw new UsageError(`the trusted comment ${fault}`);
  return Buffer.from(comment, 'utf8');
}
