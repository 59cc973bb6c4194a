import { u32 } from '../../formats/tpm/bytes.ts';
import { readProperties } from '../../formats/tpm/capability.ts';
import { CAP, CC, PERMANENT, PT } from '../../formats/tpm/constants.ts';
import type { Tpm } from './tpm.ts';

/** What a TPM says of itself. */
export interface TpmFacts {
  /** TPM_PT_MANUFACTURER: up to four characters of the TCG Vendor ID Registry, such as `IFX`. */
  readonly manufacturer: string;
  readonly vendorString: string;
  /** `7.85.4555.0`: two numbers of 32 bits, each as two of 16. */
  readonly firmware: string;
  /** The name of what it is where no chip or firmware of this machine is behind it; null for hardware. */
  readonly emulator: string | null;
  readonly inLockout: boolean;
  readonly ownerAuthSet: boolean;
  readonly lockoutAuthSet: boolean;
  /** Wrong authorisations that count, and how many lock the TPM. */
  readonly failures: number;
  readonly mostFailures: number;
  /** Seconds after which one failure is forgotten. */
  readonly failureInterval: number;
}

/**
 * Makers of TPMs in chips and processors (TCG Vendor ID Registry). Whoever is not here may well be one, but nobody is
 * called hardware on a guess. IBM stands for its software TPM, MSFT, GOOG, AMZN and VMW for those of virtual machines.
 */
const makers: readonly string[] = [
  ...[
    'AMD',
    'ATML',
    'BRCM',
    'FLYS',
    'HISI',
    'IFX',
    'INTC',
    'LEN',
    'NSG',
    'NSM',
    'NTC',
    'NTZ',
    'QCOM',
  ],
  ...['ROCC', 'SEAL', 'SECE', 'SMSC', 'SMSN', 'SNS', 'STM', 'TXN', 'WEC'],
];

export async function readFacts(tpm: Tpm): Promise<TpmFacts> {
  const fixed = await properties(tpm, PT.FIXED, PT.FIRMWARE_VERSION_2);
  const variable = await properties(tpm, PT.VAR, PT.LOCKOUT_RECOVERY);
  const manufacturer = text([fixed(PT.MANUFACTURER)]);
  const strings = [0, 1, 2, 3].map((at) => fixed(PT.VENDOR_STRING_1 + at));
  const vendorString = text(strings);
  const permanent = variable(PT.PERMANENT);
  return {
    manufacturer,
    vendorString,
    firmware: [PT.FIRMWARE_VERSION_1, PT.FIRMWARE_VERSION_2]
      .map((property) => `${fixed(property) >>> 16}.${fixed(property) & 0xffff}`)
      .join('.'),
    emulator: emulatorName(manufacturer, vendorString),
    inLockout: (permanent & PERMANENT.IN_LOCKOUT) !== 0,
    ownerAuthSet: (permanent & PERMANENT.OWNER_AUTH_SET) !== 0,
    lockoutAuthSet: (permanent & PERMANENT.LOCKOUT_AUTH_SET) !== 0,
    failures: variable(PT.LOCKOUT_COUNTER),
    mostFailures: variable(PT.MAX_AUTH_FAIL),
    failureInterval: variable(PT.LOCKOUT_INTERVAL),
  };
}

/** null where it is hardware. */
export function emulatorName(manufacturer: string, vendorString: string): string | null {
  // Makers of chips give out simulators of theirs too.
  if (makers.includes(manufacturer) && !/simulator|\bSW\b|vTPM/i.test(vendorString)) return null;
  return `${manufacturer} ${vendorString}`.trim();
}

/** Those from `first` to `last`; the answer is 0 for one that the TPM does not have. */
async function properties(
  tpm: Tpm,
  first: number,
  last: number,
): Promise<(property: number) => number> {
  const all = new Map<number, number>();
  for (let from = first; from <= last;) {
    const { parameters } = await tpm.run({
      code: CC.GetCapability,
      handles: [],
      parameters: Buffer.concat([u32(CAP.PROPERTIES), u32(from), u32(last - from + 1)]),
    });
    const { more, properties: read } = readProperties(parameters);
    for (const [property, value] of read) all.set(property, value);
    const highest = Math.max(...read.keys());
    if (!more || highest < from) break;
    from = highest + 1;
  }
  return (property) => all.get(property) ?? 0;
}

/** Characters, four a number, without the spaces and zeros that fill them up. */
function text(numbers: readonly number[]): string {
  const characters = Buffer.concat(numbers.map((each) => u32(each))).toString('latin1');
  return characters
    .replace(/[^\x20-\x7e]/g, '')
    .replace(/ +/g, ' ')
    .trim();
}
