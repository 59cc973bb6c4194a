/** Numbers of the TPM 2.0 Library Specification, Part 2, by the names it gives them. */

/** TPM_CC: commands. */
export const CC = {
  EvictControl: 0x120,
  NV_UndefineSpace: 0x122,
  NV_DefineSpace: 0x12a,
  CreatePrimary: 0x131,
  NV_Increment: 0x134,
  CertifyCreation: 0x14a,
  Certify: 0x148,
  NV_Read: 0x14e,
  ObjectChangeAuth: 0x150,
  PolicySecret: 0x151,
  Create: 0x153,
  Load: 0x157,
  Sign: 0x15d,
  Unseal: 0x15e,
  FlushContext: 0x165,
  NV_ReadPublic: 0x169,
  PolicyAuthValue: 0x16b,
  ReadPublic: 0x173,
  StartAuthSession: 0x176,
  GetCapability: 0x17a,
  GetRandom: 0x17b,
  PCR_Read: 0x17e,
  PolicyPCR: 0x17f,
} as const;

export function commandName(code: number): string {
  const known = Object.entries(CC).find(([, value]) => value === code);
  return known === undefined ? `command 0x${code.toString(16)}` : `TPM2_${known[0]}`;
}

/** TPM_ST: structure tags. */
export const ST = {
  NO_SESSIONS: 0x8001,
  SESSIONS: 0x8002,
  ATTEST_CERTIFY: 0x8017,
  ATTEST_CREATION: 0x801a,
} as const;

/** TPM_ALG_ID */
export const ALG = {
  RSA: 0x0001,
  AES: 0x0006,
  KEYEDHASH: 0x0008,
  SHA256: 0x000b,
  NULL: 0x0010,
  RSASSA: 0x0014,
  ECDSA: 0x0018,
  ECC: 0x0023,
  CFB: 0x0043,
} as const;

/** TPM_ECC_NIST_P256 */
export const P256 = 0x0003;

/** TPM_RH and the handle of password authorisations. */
export const RH = {
  OWNER: 0x40000001,
  NULL: 0x40000007,
  PASSWORD: 0x40000009,
  ENDORSEMENT: 0x4000000b,
} as const;

/** TPM_HT: the first byte of a handle, which says what it is of. */
export const HT = {
  HMAC_SESSION: 0x02,
  POLICY_SESSION: 0x03,
  TRANSIENT: 0x80,
} as const;

/** TPM_SE */
export const SE = { HMAC: 0x00, POLICY: 0x01 } as const;

/** TPMA_OBJECT */
export const OBJECT = {
  FIXED_TPM: 0x2,
  FIXED_PARENT: 0x10,
  SENSITIVE_DATA_ORIGIN: 0x20,
  USER_WITH_AUTH: 0x40,
  ADMIN_WITH_POLICY: 0x80,
  NO_DA: 0x400,
  RESTRICTED: 0x10000,
  DECRYPT: 0x20000,
  SIGN: 0x40000,
} as const;

/** TPMA_SESSION: of a command's first parameter, and of a response's. */
export const SESSION = { CONTINUE: 0x01, DECRYPT: 0x20, ENCRYPT: 0x40 } as const;

/** TPMA_NV; COUNTER is its field TPM_NT. */
export const NV = {
  AUTH_WRITE: 0x4,
  COUNTER: 0x10,
  TYPE_MASK: 0xf0,
  AUTH_READ: 0x40000,
  NO_DA: 0x2000000,
  WRITTEN: 0x20000000,
} as const;

/** TPM_CAP and TPM_PT */
export const CAP = { HANDLES: 1, PROPERTIES: 6 } as const;
export const PT = {
  FIXED: 0x100,
  MANUFACTURER: 0x105,
  VENDOR_STRING_1: 0x106,
  VENDOR_STRING_4: 0x109,
  FIRMWARE_VERSION_1: 0x10b,
  FIRMWARE_VERSION_2: 0x10c,
  VAR: 0x200,
  PERMANENT: 0x200,
  LOCKOUT_COUNTER: 0x20e,
  MAX_AUTH_FAIL: 0x20f,
  LOCKOUT_INTERVAL: 0x210,
  LOCKOUT_RECOVERY: 0x211,
} as const;

/** TPMA_PERMANENT */
export const PERMANENT = { OWNER_AUTH_SET: 0x1, LOCKOUT_AUTH_SET: 0x4, IN_LOCKOUT: 0x200 } as const;
