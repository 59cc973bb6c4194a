import { AgentError, describeFailure } from '../../../base/errors.ts';
import { CC } from '../../../formats/tpm/constants.ts';
import { encodePcrSelection, readPcrSelection } from '../../../formats/tpm/pcr.ts';
import { TpmReader } from '../../../formats/tpm/bytes.ts';
import {
  encodeTss2Key,
  parseTss2Key,
  type PolicyStep,
  type Tss2Key,
} from '../../../formats/tpm/tss2-key.ts';
import type { KeyFolder } from './key-folder.ts';

/** What must hold for an object to be used. */
export interface Protection {
  /** Registers of the SHA-256 bank that must have the values they had; ascending. */
  readonly pcrs: readonly number[];
  readonly pin: boolean;
}

/** null where there is no such file. Throws `backend_unavailable` where it is no key file, or not of that type. */
export function readKeyFile(
  folder: KeyFolder,
  name: string,
  type: Tss2Key['type'],
): Tss2Key | null {
  const bytes = folder.read(name);
  if (bytes === null) return null;
  try {
    const key = parseTss2Key(bytes.toString('latin1'));
    if (key.type !== type) throw new Error(`it is a ${key.type} object`);
    return key;
  } catch (failure) {
    throw new AgentError(
      'backend_unavailable',
      `${folder.pathOf(name)} is broken: ${describeFailure(failure)}. It was left alone: put it back from a copy`,
      { cause: failure },
    );
  }
}

export function keyFileBytes(key: Tss2Key): Buffer {
  return Buffer.from(encodeTss2Key(key), 'latin1');
}

/** The steps of a policy as key files have them. `digest`: of the registers' values. */
export function policySteps({ pcrs, pin }: Protection, digest: Uint8Array | null): PolicyStep[] {
  const steps: PolicyStep[] = [];
  if (digest !== null) {
    steps.push({
      code: CC.PolicyPCR,
      statement: Buffer.concat([encodePcrSelection(pcrs), digest]),
    });
  }
  if (pin && digest !== null) steps.push({ code: CC.PolicyAuthValue, statement: Buffer.alloc(0) });
  return steps;
}

/** What a key file demands. Throws an Error for a policy that this program does not make. */
export function protectionOf({ policy, emptyAuth }: Tss2Key): Protection {
  let pcrs: readonly number[] = [];
  for (const { code, statement } of policy) {
    if (code === CC.PolicyPCR) pcrs = readPcrSelection(new TpmReader(statement, 'a policy'));
    else if (code !== CC.PolicyAuthValue) throw new Error('its policy is not one of this program');
  }
  return { pcrs, pin: !emptyAuth };
}
