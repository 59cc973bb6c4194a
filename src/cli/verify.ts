import type { Verification } from '../keyring/signing-backend.ts';
import { CommandError, exitCodes, UsageError } from './failure.ts';
import { maxSentMessageBytes, readInput } from './message.ts';
import { Output } from './output.ts';
import { askAbout } from './session.ts';
import { signatureIn } from './signature-file.ts';
import type { Invocation } from './terminal.ts';

export interface VerifyOptions {
  readonly signature: string;
  readonly kid?: string;
  readonly publicKey?: string;
}

/** Far beyond a signature in any of its forms. */
const maxSignatureFileBytes = 64 * 1024;

/** What is read for a key that is given; the whole message has to be in memory. */
const maxLocalMessageBytes = 1024 * 1024 * 1024;

/**
 * `agentctl verify [FILE] --signature FILE`: asks the agent, or checks against a key that is given and asks
 * nobody. That a signature does not verify is an answer, on stdout, with an exit code of its own.
 */
export async function verify(invocation: Invocation<VerifyOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  if (options.signature === '-' && (args[0] === undefined || args[0] === '-')) {
    throw new UsageError('the message and the signature cannot both come from stdin');
  }
  const content = await readInput(options.signature, terminal, maxSignatureFileBytes);
  const signature = signatureIn(content, options.signature);
  const { publicKey } = options;
  const [verification, checkedBy] =
    publicKey === undefined
      ? [await askAgent(invocation, signature), `keyring ${globals.keyring ?? 'default'}`]
      : [await checkHere(invocation, publicKey, signature), 'the public key that was given'];
  report(invocation, verification, checkedBy);
  return verification.valid ? exitCodes.done : exitCodes.notVerified;
}

async function askAgent(
  { terminal, globals, args, options }: Invocation<VerifyOptions>,
  signature: Buffer,
): Promise<Verification> {
  const message = await readInput(args[0], terminal, maxSentMessageBytes);
  const answer = await askAbout<Record<string, unknown>>(message, globals, 'verify', {
    keyring: globals.keyring,
    kid: options.kid,
    signature_b64: signature.toString('base64url'),
  });
  return asVerification(answer);
}

/** Anything but a clear yes or no is a failure: "valid" is not said because of a stray value. */
function asVerification(answer: Record<string, unknown>): Verification {
  const { valid, kid, reason } = answer;
  const named = kid === null ? !valid : typeof kid === 'string';
  if (typeof valid !== 'boolean' || !named) {
    throw new CommandError('the agent did not say whether the signature is valid');
  }
  return {
    valid,
    kid: typeof kid === 'string' ? kid : null,
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}

async function checkHere(
  { terminal, args }: Invocation<VerifyOptions>,
  publicKey: string,
  signature: Buffer,
): Promise<Verification> {
  const { publicKeyFrom } = await import('./public-key.ts');
  const given = await publicKeyFrom(publicKey, terminal);
  const message = await readInput(args[0], terminal, maxLocalMessageBytes);
  const { verifyWithKey } = await import('./verify-with-key.ts');
  return verifyWithKey(message, signature, given);
}

function report(
  { terminal, globals }: Invocation<VerifyOptions>,
  verification: Verification,
  checkedBy: string,
): void {
  const output = new Output(terminal);
  const { valid, kid, reason } = verification;
  if (globals.json) output.json(verification);
  else if (valid) {
    output.line({ text: 'valid', style: 'green' }, `: signed by ${kid ?? '?'} (${checkedBy})`);
  } else {
    const why = reason ?? `no key of ${checkedBy} made this signature`;
    output.line({ text: 'not valid', style: 'red' }, `: ${why}`);
  }
}
