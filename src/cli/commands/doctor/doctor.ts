import { randomBytes } from 'node:crypto';
import { openLibc } from '../../../native/libc.ts';
import { machineFingerprint } from '../../../native/machine.ts';
import { durableFiles } from '../../../files/durable-files.ts';
import { effectiveUid } from '../../../files/ownership.ts';
import { examine } from './examine.ts';
import type { Finding } from '../../../base/finding.ts';
import { exitCodes } from '../../shell/failure.ts';
import { Output, type Style } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';

export interface DoctorOptions {
  readonly config?: string;
  readonly stateDir?: string;
}

const styles: Readonly<Record<Finding['state'], Style>> = {
  ok: 'green',
  warning: 'yellow',
  failure: 'red',
};

/**
 * `agentctl doctor`: looks at everything that an agent needs, whether one runs or not. It changes nothing and
 * never logs in to a token.
 */
export async function doctor(invocation: Invocation<DoctorOptions>): Promise<number> {
  const { terminal, globals, options } = invocation;
  const libc = openLibc();
  libc.refuseCoreDumps(); // keystores and PINs are read, to be looked at
  const findings = await examine({
    configFile: options.config,
    stateDir: options.stateDir,
    socket: globals.socket,
    keyring: globals.keyring ?? null,
    env: terminal.env,
    uid: effectiveUid(),
    world: { now: terminal.now, randomBytes, files: durableFiles(libc) },
    accounts: libc,
    machine: machineFingerprint(),
    apiKey: globals.apiKey,
    agentUser: globals.agentUser,
  });
  const output = new Output(terminal);
  const count = (state: Finding['state']): number =>
    findings.filter((finding) => finding.state === state).length;
  if (globals.json) {
    output.json({ findings, warnings: count('warning'), failures: count('failure') });
  } else {
    output.table(
      findings.map(({ subject, state, text }) => [
        { text: state, style: styles[state] },
        subject,
        text,
      ]),
    );
    output.line('');
    output.line(`${count('failure')} failures, ${count('warning')} warnings`);
  }
  return count('failure') === 0 ? exitCodes.done : exitCodes.failed;
}
