/** Response codes: TPM 2.0 Library Specification, Part 2, 6.6. */

/** Bit 7 set: an error of a parameter, a handle or a session. */
const formatOne = 0x80;
const parameterBit = 0x40;
const sessionBit = 0x800;

/** Without the number of what is wrong. */
export const RC = {
  INITIALIZE: 0x100,
  FAILURE: 0x101,
  COMMAND_CODE: 0x143,
  AUTHSIZE: 0x144,
  PCR_CHANGED: 0x128,
  NV_AUTHORIZATION: 0x149,
  NV_UNINITIALIZED: 0x14a,
  NV_SPACE: 0x14b,
  NV_DEFINED: 0x14c,
  ATTRIBUTES: 0x082,
  VALUE: 0x084,
  HIERARCHY: 0x085,
  HANDLE: 0x08b,
  AUTH_FAIL: 0x08e,
  SCHEME: 0x092,
  SIZE: 0x095,
  POLICY_FAIL: 0x09d,
  INTEGRITY: 0x09f,
  TICKET: 0x0a0,
  BAD_AUTH: 0x0a2,
  CURVE: 0x0a6,
  CONTEXT_GAP: 0x901,
  OBJECT_MEMORY: 0x902,
  SESSION_MEMORY: 0x903,
  MEMORY: 0x904,
  SESSION_HANDLES: 0x905,
  OBJECT_HANDLES: 0x906,
  LOCALITY: 0x907,
  YIELDED: 0x908,
  CANCELED: 0x909,
  TESTING: 0x90a,
  REFERENCE_H0: 0x910,
  REFERENCE_S0: 0x918,
  NV_RATE: 0x920,
  LOCKOUT: 0x921,
  RETRY: 0x922,
  NV_UNAVAILABLE: 0x923,
} as const;

/** How many numbers follow REFERENCE_H0 and REFERENCE_S0. */
const references = 7;

/** The code without the number of the handle, session or parameter that it is of. */
export function plainCode(code: number): number {
  if ((code & formatOne) !== 0) return code & (formatOne | 0x3f);
  const plain = code & 0xfff;
  for (const first of [RC.REFERENCE_H0, RC.REFERENCE_S0]) {
    if (plain >= first && plain < first + references) return first;
  }
  return plain;
}

/** Such as `TPM_RC_AUTH_FAIL (0x98e, session 1)`. */
export function describeCode(code: number): string {
  const plain = plainCode(code);
  const known = Object.entries(RC).find(([, value]) => value === plain);
  const name = known === undefined ? 'TPM_RC' : `TPM_RC_${known[0]}`;
  return `${name} (0x${code.toString(16)}${placeOf(code)})`;
}

function placeOf(code: number): string {
  if ((code & formatOne) === 0) return '';
  const number = (code >> 8) & 0xf;
  if ((code & parameterBit) !== 0) return `, parameter ${number}`;
  const kind = (code & sessionBit) === 0 ? 'handle' : 'session';
  return (number & 7) === 0 ? '' : `, ${kind} ${number & 7}`;
}

/** Nothing was done: the same bytes may be sent again after a while. */
export function mayBeRetried(code: number): boolean {
  const retried: readonly number[] = [RC.RETRY, RC.YIELDED, RC.TESTING, RC.NV_RATE, RC.CANCELED];
  return retried.includes(plainCode(code));
}

/**
 * What was loaded before is not there any more: a reset of the TPM, a resource manager that was started again, a
 * context that grew too old.
 */
export function isStale(code: number): boolean {
  const stale: readonly number[] = [RC.HANDLE, RC.REFERENCE_H0, RC.REFERENCE_S0, RC.CONTEXT_GAP];
  return stale.includes(plainCode(code));
}

/** The TPM has no room for another object or session. */
export function isFull(code: number): boolean {
  const full: readonly number[] = [
    RC.OBJECT_MEMORY,
    RC.OBJECT_HANDLES,
    RC.SESSION_MEMORY,
    RC.SESSION_HANDLES,
    RC.MEMORY,
  ];
  return full.includes(plainCode(code));
}
