import type { CaVerdict } from '../../../api/cluster.ts';
import { CommandError, exitCodes, UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import { Output } from '../../shell/output.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation, Terminal } from '../../shell/terminal.ts';
import { when } from '../../shell/when.ts';

export interface VerifyCertificateOptions {
  readonly caPublicKey?: string;
  readonly bundle?: string;
}

/** Far beyond a certificate or a bundle. */
const maxDocumentBytes = 64 * 1024;

/**
 * `agentctl ca verify FILE`: asks the agent, or checks against a CA that is given and asks nobody. That a certificate
 * does not verify is an answer, on stdout, with an exit code of its own.
 */
export async function verifyCertificate(
  invocation: Invocation<VerifyCertificateOptions>,
): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const file = args[0] ?? '-';
  if (file === '-' && options.bundle === '-') {
    throw new UsageError('the certificate and the bundle cannot both come from stdin');
  }
  const expected = await expectationOf(options, terminal);
  const text = textOf(await readInput(file, terminal, maxDocumentBytes));
  const verdict =
    text === null
      ? notText
      : expected === null
        ? asVerdict(await ask(globals, 'ca_verify', { certificate: text }))
        : await (
            await import('../../../cluster/ca-verdict.ts')
          ).verdictOn(text, {
            ...expected,
            now: terminal.now(),
          });
  const output = new Output(terminal);
  if (globals.json) output.json(verdict);
  else print(verdict, terminal.now(), output);
  return verdict.valid ? exitCodes.done : exitCodes.notVerified;
}

const notText: CaVerdict = {
  valid: false,
  rule: 'form',
  reason: 'the certificate is not UTF-8 text',
  certificate: null,
};

/** null: the agent knows. */
async function expectationOf(
  { caPublicKey, bundle: bundleFile }: VerifyCertificateOptions,
  terminal: Terminal,
): Promise<{ publicKey: Buffer; domain: string | null } | null> {
  if (bundleFile !== undefined) return ofBundle(bundleFile, terminal);
  if (caPublicKey === undefined) return null;
  const { publicKeyFrom } = await import('../signatures/public-key.ts');
  const given = await publicKeyFrom(caPublicKey, terminal, '--ca-public-key');
  if (given.algorithm === 'ed25519') return { publicKey: given.bytes, domain: null };
  throw new UsageError('--ca-public-key: a CA has an Ed25519 key, and this is another one');
}

async function ofBundle(
  file: string,
  terminal: Terminal,
): Promise<{ publicKey: Buffer; domain: string }> {
  const { bytesOf, DocumentError } = await import('../../../cluster/document.ts');
  const { parseTrustBundle } = await import('../../../cluster/trust-bundle.ts');
  const text = textOf(await readInput(file, terminal, maxDocumentBytes));
  try {
    const bundle = parseTrustBundle(text ?? '');
    return { publicKey: bytesOf(bundle.ca_public_key_b64), domain: bundle.cluster_domain };
  } catch (failure) {
    if (!(failure instanceof DocumentError)) throw failure;
    throw new UsageError(`${file}: ${failure.message}`, { cause: failure });
  }
}

/** null where the bytes are no UTF-8: what stands in for them is not what was signed. */
function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Anything but a clear yes or no is a failure: "valid" is not said because of a stray value. */
function asVerdict(answer: CaVerdict): CaVerdict {
  const { valid, certificate } = answer as Partial<CaVerdict>;
  if (typeof valid === 'boolean' && (!valid || typeof certificate?.active_kid === 'string')) {
    return answer;
  }
  throw new CommandError('the agent did not say whether the certificate is valid');
}

function print({ valid, rule, reason, certificate }: CaVerdict, now: number, output: Output): void {
  if (!valid || certificate === null) {
    output.line({ text: 'not valid', style: 'red' }, `: ${rule ?? 'unknown'}: ${reason ?? ''}`);
    return;
  }
  const { active_kid: kid, cluster_domain: domain, expires_at: expires } = certificate;
  output.line(
    { text: 'valid', style: 'green' },
    `: key ${kid} of ${domain}, expires ${when(expires, now)}`,
  );
}
