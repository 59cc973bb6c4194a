import type { ImportedKey } from '../../../api/signing-backend.ts';
import { exitCodes, UsageError } from '../../shell/failure.ts';
import { readInput } from '../../shell/message.ts';
import { Output } from '../../shell/output.ts';
import { readPinInput } from '../../shell/pin-input.ts';
import { ask } from '../../shell/session.ts';
import type { Invocation } from '../../shell/terminal.ts';
import { secondsUntilActive, whenActive } from './keys-prepare.ts';

export interface ImportOptions {
  readonly passwordFile?: string;
  readonly activateAfter?: string;
}

/** As `import_key` takes it. */
const mostBytes = 16_384;

/** `agentctl keys import FILE`: a key that another program made in the same TPM becomes the prepared one. */
export async function importKey(invocation: Invocation<ImportOptions>): Promise<number> {
  const { terminal, globals, args, options } = invocation;
  const { keyring } = globals;
  const { passwordFile } = options;
  if (args[0] === '-' && passwordFile === '-') {
    throw new UsageError('key and password cannot both come from stdin: give one of them a file');
  }
  const seconds = secondsUntilActive(options.activateAfter);
  const file = await readInput(args[0] ?? '', terminal, mostBytes);
  const password =
    passwordFile === undefined
      ? undefined
      : await readPinInput(passwordFile, keyring ?? 'default', terminal);
  try {
    const result = await ask<ImportedKey>(globals, 'import_key', {
      keyring,
      key_file: file.toString('utf8'),
      password: password?.toString('utf8'),
      activate_after_seconds: seconds,
    });
    const output = new Output(terminal);
    if (globals.json) {
      output.json(result);
      return exitCodes.done;
    }
    const { kid, attributes } = result;
    output.line(
      'imported ',
      { text: kid, style: 'bold' },
      `: to be active ${whenActive(result, terminal)}`,
    );
    output.line(
      'its key file may be used in this TPM as before: remove it where nothing else needs it',
    );
    if (attributes?.['decrypt'] === true) {
      output.line(
        'the TPM lets it agree on keys (decrypt) beside signing, which a key of the agent itself does not',
      );
    }
    if (attributes?.['noDA'] === false) {
      output.line(
        'it cannot be used while the TPM is in lockout, after wrong PINs of whatever program',
      );
    }
    return exitCodes.done;
  } finally {
    password?.fill(0);
  }
}
