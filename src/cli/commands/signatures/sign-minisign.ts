import { basename } from 'node:path';
import type { SignedMinisign } from '../../../api/formats.ts';
import { AgentError } from '../../../base/errors.ts';
import { MinisignFormatError } from '../../../formats/minisign/format.ts';
import {
  decodeSignatureFile,
  type MinisignSignature,
} from '../../../formats/minisign/signature.ts';
import {
  faultOfTrustedComment,
  usualTrustedComment,
} from '../../../formats/minisign/trusted-comment.ts';
import { digestOf } from '../../shell/digest.ts';
import { UsageError } from '../../shell/failure.ts';
import { ask } from '../../shell/session.ts';
import { notAsAsked } from './made-signature.ts';
import type { Signed, SignOptions } from './sign-options.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { keyringAlgorithm } from './jose-alg.ts';

/** `--format minisign`: what `minisign -V` reads, prehashed, of a file of any size. */
export async function signMinisign(invocation: Invocation<SignOptions>): Promise<Signed> {
  const { terminal, globals, args, options } = invocation;
  const { kid } = options;
  const comment = trustedComment(invocation);
  // Before the file is read, which may take long.
  const algorithm = await keyringAlgorithm(globals);
  if (algorithm !== 'ed25519') {
    const why = `minisign knows Ed25519 alone, and keyring ${globals.keyring ?? 'default'} has ${algorithm} keys`;
    throw new AgentError('not_supported', `${why}: --format sshsig takes both`);
  }
  const digest = await digestOf(args[0], terminal, 'blake2b512');
  const result = await ask<SignedMinisign>(globals, 'sign_minisign', {
    ...{ keyring: globals.keyring, kid, trusted_comment: comment },
    digest_b64: digest.toString('base64url'),
  });
  if (!isAsAsked(result, { kid, comment })) throw notAsAsked();
  return { result, content: result.minisig };
}

/** A key id begins with the kid (formats/minisign/key-id.ts). */
function isAsAsked(
  { kid, minisig }: SignedMinisign,
  asked: { readonly kid: string | undefined; readonly comment: string },
): boolean {
  const made = typeof minisig === 'string' ? decoded(minisig) : null;
  if (made === null || !made.isPrehashed) return false;
  if (made.keyId.toString('hex', 0, 4) !== kid || (asked.kid ?? kid) !== kid) return false;
  return made.trustedComment.toString('utf8') === asked.comment;
}

function decoded(file: string): MinisignSignature | null {
  try {
    return decodeSignatureFile(Buffer.from(file, 'utf8'));
  } catch (failure) {
    if (failure instanceof MinisignFormatError) return null;
    throw failure;
  }
}

function trustedComment({ terminal, args, options }: Invocation<SignOptions>): string {
  const [path] = args;
  const name = path === undefined || path === '-' ? null : basename(path);
  if (options.trustedComment === undefined && name !== null && /\p{Cc}/u.test(name)) {
    throw new UsageError('the name of the file has control characters: give --trusted-comment');
  }
  const comment = options.trustedComment ?? usualTrustedComment(name, terminal.now());
  const fault = faultOfTrustedComment(comment);
  if (fault !== null) throw new UsageError(`the trusted comment ${fault}`);
  return comment;
}
