import { text } from 'node:stream/consumers';
import { describeFailure } from '../base/errors.ts';
import { loadBinding } from '../vault/pkcs11/binding.ts';
import type { ModuleProbe, ProbeRequest } from '../vault/pkcs11/token/probe.ts';

/**
 * Loads one PKCS#11 module and says what it has, so that `agentctl doctor` does not load it itself. The question
 * comes on stdin, the answer is the last line on stdout. Never run by hand, and given no PIN.
 */
process.umask(0o077); // modules write files of their own
const request = JSON.parse(await text(process.stdin)) as ProbeRequest;
const answer = JSON.stringify(await probe());
process.stdout.write(`\n${answer}\n`, () => process.exit(0));

async function probe(): Promise<ModuleProbe> {
  try {
    loadBinding();
  } catch (failure) {
    return { outcome: 'no_binding', reason: describeFailure(failure) };
  }
  const { probeModule } = await import('../vault/pkcs11/token/probe.ts');
  return probeModule(request, process.env);
}
