import { machineFingerprint } from '../../../native/machine.ts';
import { CommandError, exitCodes } from '../../shell/failure.ts';
import { Output } from '../../shell/output.ts';
import type { Invocation } from '../../shell/terminal.ts';

/** `agentctl apikey machine`: what a key names that is for this machine alone. */
export function printMachine({ terminal, globals }: Invocation): Promise<number> {
  const fingerprint = machineFingerprint();
  if (fingerprint === null) {
    throw new CommandError(
      'this machine cannot be told from others: /etc/machine-id is missing or has no id ' +
        '(systemd-machine-id-setup makes one)',
    );
  }
  const output = new Output(terminal);
  if (globals.json) output.json({ fingerprint });
  else output.line(fingerprint);
  return Promise.resolve(exitCodes.done);
}
