import { failureOf, failure, ok, warning, type Finding } from '../../base/finding.ts';
import { AgentError } from '../../base/errors.ts';
import type { ExamineWith, Named } from '../kind-calls.ts';
import { examinePin } from '../pins/examine-pin.ts';
import { openTransport } from './device.ts';
import { readDeviceRecord } from './stored/device-record.ts';
import { KeyFolder } from './stored/key-folder.ts';
import { tpmPin, type TpmSettings } from './place.ts';
import { persistentRoot, usualParent } from './storage-root.ts';
import { Tpm } from './tpm.ts';
import { translate } from './tpm-error.ts';
import { readFacts, type TpmFacts } from './tpm-facts.ts';

/** A look does not wait as long as a start does, milliseconds. */
const lookTime = 3000;

/** The TPM, what it says of itself, and the PIN's file. Asks for nothing that needs an authorisation. */
export async function examineTpm(
  settings: Named<TpmSettings>,
  { world, env }: ExamineWith,
): Promise<readonly Finding[]> {
  const pin = tpmPin(settings);
  return [
    ...(await examineDevice(settings)),
    ...examineFolder(settings, world),
    ...(pin === null
      ? []
      : [examinePin(settings.name, pin, env['CREDENTIALS_DIRECTORY'] ?? null, world)]),
  ];
}

async function examineDevice({ name, device }: Named<TpmSettings>): Promise<Finding[]> {
  const subject = `${name}: TPM`;
  try {
    const tpm = new Tpm(await openTransport(device, lookTime), { pause: () => Promise.resolve() });
    try {
      const facts = await readFacts(tpm);
      const isKept = (await usualParent(tpm)) === persistentRoot;
      return judgeFacts(subject, facts, isKept);
    } finally {
      await tpm.close();
    }
  } catch (thrown) {
    if (device.kind === 'unix' && thrown instanceof AgentError) {
      return [
        warning(
          subject,
          `${thrown.message}. An emulator serves one program at a time: where an agent runs with it, stop that to ` +
            'have a look',
        ),
      ];
    }
    return [failureOf(subject, translate(thrown, 'say what it is'))];
  }
}

/** `isKept`: it has a persistent storage root key that fits. */
export function judgeFacts(subject: string, facts: TpmFacts, isKept: boolean): Finding[] {
  const { manufacturer, vendorString, firmware, emulator } = facts;
  const name = `${manufacturer} ${vendorString}`.trim();
  return [
    emulator === null
      ? ok(subject, `${name}, firmware ${firmware}, says that it is hardware`)
      : warning(
          subject,
          `${name}, firmware ${firmware}: an emulator, a virtual machine's, or of a maker that is not known here, so ` +
            'that its keys count as software',
        ),
    judgeLockout(subject, facts),
    ...(facts.ownerAuthSet ? [judgeOwner(subject, isKept)] : []),
  ];
}

function judgeLockout(subject: string, facts: TpmFacts): Finding {
  const { inLockout, failures, mostFailures, failureInterval } = facts;
  const counted = `${failures} of ${mostFailures} wrong PINs are counted, and one is forgotten every ${failureInterval} s`;
  if (inLockout) {
    return failure(
      subject,
      `in lockout (${counted}): keys with a PIN cannot be opened; end it with tpm2_dictionarylockout --clear-lockout`,
    );
  }
  return failures === 0 ? ok(subject, 'no wrong PINs are counted') : warning(subject, counted);
}

function judgeOwner(subject: string, isKept: boolean): Finding {
  return isKept
    ? warning(
        subject,
        'its owner has set a password, so no counter can be defined: an older copy of the key records is not noticed',
      )
    : failure(
        subject,
        'its owner has set a password, and it keeps no storage root key of P-256 at 0x81000001: the owner has to make it',
      );
}

function examineFolder(
  { name, folder: path }: Named<TpmSettings>,
  { files }: Pick<ExamineWith['world'], 'files'>,
): Finding[] {
  const subject = `${name}: keys`;
  const folder = new KeyFolder(path, files);
  try {
    if (!folder.exists()) return [ok(subject, `${path} is not there yet: the agent makes it`)];
    const record = readDeviceRecord(folder, name);
    const keys = folder.names().filter((each) => /^[0-9a-f]{32}\.(pem|seed\.json)$/.test(each));
    const count = `${keys.length} key${keys.length === 1 ? '' : 's'} in ${path}`;
    return [
      record === null || record.recovery === null
        ? warning(
            subject,
            `${count}, without a recovery recipient: where the TPM breaks or is cleared they are lost`,
          )
        : ok(subject, `${count}, and ${record.recovery} can recover what is under the sealed key`),
    ];
  } catch (thrown) {
    return [failureOf(subject, thrown)];
  }
}
