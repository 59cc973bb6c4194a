import type { Verification } from '../../../api/signing-backend.ts';
import { untrustedPrefix } from '../../../formats/minisign/format.ts';
import { armorBegin } from '../../../formats/ssh/sshsig.ts';
import { CommandError, exitCodes, UsageError } from '../../shell/failure.ts';
import {
  maxLocalMessageBytes,
  maxSentMessageBytes,
  readInput,
  tooLarge,
} from '../../shell/message.ts';
import { Output } from '../../shell/output.ts';
import { askAbout } from '../../shell/session.ts';
import { signatureIn } from './signature-file.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { notValid, type Check, type Checked, type VerifyOptions } from './verify-outcome.ts';
import { timeOf } from './verify-time.ts';
import { jwsIn, unwrapForKey, unwrapForKeyring, type JwsText } from './verify-jws.ts';

/** Forms of signatures that say themselves what they are, by how they begin. */
const forms: readonly { readonly begins: string; readonly load: () => Promise<Check> }[] = [
  { begins: armorBegin, load: async () => (await import('./verify-sshsig.ts')).verifySshsig },
  {
    begins: untrustedPrefix,
    load: async () => (await import('./verify-minisign.ts')).verifyMinisign,
  },
];

/** 64 raw bytes, or what has them in it. */
type GivenSignature = Buffer | JwsText;

/** Far beyond a signature in any form but a JWS, which has the whole message in it. */
const maxSignatureFileBytes = 64 * 1024;
const maxJwsFileBytes = 16 * 1024 * 1024;

/**
 * `agentctl verify [FILE] --signature FILE`: asks the agent, or checks against a key that is given and asks
 * nobody. That a signature does not verify is an answer, on stdout, with an exit code of its own.
 */
export async function verify(invocation: Invocation<VerifyOptions>): Promise<number> {
  const { terminal, options } = invocation;
  refuseContradictions(invocation);
  const content = await readInput(options.signature, terminal, maxJwsFileBytes);
  if (content.length > maxSignatureFileBytes && jwsIn(content) === null) {
    throw tooLarge(options.signature, maxSignatureFileBytes);
  }
  const form = forms.find(({ begins }) =>
    content.subarray(0, begins.length).equals(Buffer.from(begins)),
  );
  const check = form === undefined ? checkPlain : await form.load();
  const foreign = form?.begins === armorBegin ? undefined : optionOfSsh(options);
  const checked =
    foreign === undefined
      ? await check(invocation, content)
      : notValid(options, `it is no ssh signature, and ${foreign} is for those alone`);
  report(invocation, checked);
  return checked.verification.valid ? exitCodes.done : exitCodes.notVerified;
}

function refuseContradictions({ args, options }: Invocation<VerifyOptions>): void {
  const { signature, allowedSigners, identity, revoked } = options;
  const files = [args[0] ?? '-', signature, allowedSigners, revoked];
  if (files.filter((path) => path === '-').length > 1) {
    throw new UsageError(
      'stdin can be only one of what is signed, its signature, the allowed signers and the revoked keys',
    );
  }
  if (options.at !== undefined && allowedSigners === undefined) {
    throw new UsageError('--at goes with --allowed-signers alone: other keys have no times there');
  }
  timeOf(options.at);
  if ((allowedSigners === undefined) !== (identity === undefined)) {
    throw new UsageError('--allowed-signers FILE and --identity NAME go together');
  }
  // What a script's empty variable makes of it: a pattern such as * would match.
  if (identity === '') throw new UsageError('--identity must not be empty');
}

/** A signature of another form must not get around what these ask for. */
function optionOfSsh(options: VerifyOptions): string | undefined {
  const { allowedSigners, revoked, namespace } = options;
  if (allowedSigners !== undefined) return '--allowed-signers';
  if (revoked !== undefined) return '--revoked';
  return namespace === undefined ? undefined : '--namespace';
}

/** A signature of the message itself. */
async function checkPlain(
  invocation: Invocation<VerifyOptions>,
  content: Buffer,
): Promise<Checked> {
  const { globals, options } = invocation;
  const signature = jwsIn(content) ?? signatureIn(content, options.signature);
  const { publicKey } = options;
  if (publicKey === undefined) {
    const checkedBy = `keyring ${globals.keyring ?? 'default'}`;
    return { verification: await askAgent(invocation, signature), checkedBy };
  }
  const verification = await checkHere(invocation, publicKey, signature);
  return { verification, checkedBy: 'the public key that was given' };
}

async function askAgent(
  { terminal, globals, args, options }: Invocation<VerifyOptions>,
  signature: GivenSignature,
): Promise<Verification> {
  const message = await readInput(args[0], terminal, maxSentMessageBytes);
  const { kid } = options;
  const plain = Buffer.isBuffer(signature)
    ? { message, signature, kid }
    : await unwrapForKeyring(signature, message, globals, kid);
  if ('valid' in plain) return plain;
  const answer = await askAbout<Record<string, unknown>>(plain.message, globals, 'verify', {
    keyring: globals.keyring,
    kid: plain.kid,
    signature_b64: plain.signature.toString('base64url'),
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
  signature: GivenSignature,
): Promise<Verification> {
  const { publicKeyFrom } = await import('./public-key.ts');
  const given = await publicKeyFrom(publicKey, terminal);
  const message = await readInput(args[0], terminal, maxLocalMessageBytes);
  const plain = Buffer.isBuffer(signature)
    ? { message, signature }
    : unwrapForKey(signature, message, given);
  if ('valid' in plain) return plain;
  const { verifyWithKey } = await import('./verify-with-key.ts');
  return verifyWithKey(plain.message, plain.signature, given);
}

function report(
  { terminal, globals }: Invocation<VerifyOptions>,
  { verification, checkedBy, signer, notes = [] }: Checked,
): void {
  const output = new Output(terminal);
  const { valid, kid, reason } = verification;
  if (globals.json) output.json(verification);
  else if (valid) {
    const by = signer ?? kid ?? '?';
    output.line({ text: 'valid', style: 'green' }, `: signed by ${by} (${checkedBy})`);
    for (const note of notes) output.line(note);
  } else {
    const why = reason ?? `no key of ${checkedBy} made this signature`;
    output.line({ text: 'not valid', style: 'red' }, `: ${why}`);
  }
}
