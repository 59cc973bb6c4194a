import { readWhole, sized, TpmFormatError } from './bytes.ts';
import { derInteger, derValue, DerError, DerReader, explicitTag, TAG } from './der.ts';

/**
 * A TPM key in a file: PEM (RFC 7468) with the label `TSS2 PRIVATE KEY` around a TPMKey of "ASN.1 Specification for
 * TPM 2.0 Key Files" (draft-bottomley-tpm2-keys). OpenSSL's TPM providers and other agents read the same.
 */
export interface Tss2Key {
  /** `loadable`: a key that its parent loads. `sealed`: data that the TPM gives back. `importable`: to be imported first. */
  readonly type: 'loadable' | 'importable' | 'sealed';
  /** It is used without an authorisation value. */
  readonly emptyAuth: boolean;
  /** What a session has to fulfil, in this order; none where there is no policy. */
  readonly policy: readonly PolicyStep[];
  /** A persistent handle, or a hierarchy (TPM_RH), whose P-256 storage primary key it is under. */
  readonly parent: number;
  /** TPMT_PUBLIC */
  readonly public: Uint8Array;
  /** The content of the TPM2B_PRIVATE. */
  readonly private: Uint8Array;
}

export interface PolicyStep {
  /** TPM_CC of the policy command. */
  readonly code: number;
  /** What the digest is extended by after the code. */
  readonly statement: Uint8Array;
}

/** 2.23.133.10.1.3, .4 and .5 of the Trusted Computing Group. */
const oids = {
  loadable: Buffer.from('6781050a0103', 'hex'),
  importable: Buffer.from('6781050a0104', 'hex'),
  sealed: Buffer.from('6781050a0105', 'hex'),
} as const;

const label = 'TSS2 PRIVATE KEY';

export function encodeTss2Key(key: Tss2Key): string {
  const policy = key.policy.map(({ code, statement }) =>
    derValue(
      TAG.SEQUENCE,
      derValue(explicitTag(0), derInteger(code)),
      derValue(explicitTag(1), derValue(TAG.OCTET_STRING, statement)),
    ),
  );
  const der = derValue(
    TAG.SEQUENCE,
    derValue(TAG.OID, oids[key.type]),
    derValue(explicitTag(0), derValue(TAG.BOOLEAN, Buffer.of(key.emptyAuth ? 0xff : 0))),
    policy.length === 0
      ? Buffer.alloc(0)
      : derValue(explicitTag(1), derValue(TAG.SEQUENCE, ...policy)),
    derInteger(key.parent),
    derValue(TAG.OCTET_STRING, sized(key.public)),
    derValue(TAG.OCTET_STRING, sized(key.private)),
  );
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

const form = new RegExp(`-----BEGIN ${label}-----\\s+([A-Za-z0-9+/=\\s]+)-----END ${label}-----`);

/** Text before and after is passed over (RFC 7468, 2). Throws TpmFormatError with the reason. */
export function parseTss2Key(text: string): Tss2Key {
  const base64 = form.exec(text)?.[1];
  if (base64 === undefined) throw new TpmFormatError(`it is no PEM with the label ${label}`);
  try {
    return readKey(Buffer.from(base64, 'base64'));
  } catch (failure) {
    if (!(failure instanceof DerError)) throw failure;
    throw new TpmFormatError(`it is no key file of a TPM: ${failure.message}`, { cause: failure });
  }
}

function readKey(der: Buffer): Tss2Key {
  const outer = new DerReader(der);
  const fields = new DerReader(outer.value(TAG.SEQUENCE));
  outer.end();
  const type = typeOf(fields.value(TAG.OID));
  const emptyAuth =
    fields.next === explicitTag(0) ? inner(fields.value(explicitTag(0)), TAG.BOOLEAN) : null;
  const policy = fields.next === explicitTag(1) ? readPolicy(fields.value(explicitTag(1))) : [];
  refuseUnknown(fields);
  const parent = fields.integer();
  const [publicBytes, privateBytes] = [
    fields.value(TAG.OCTET_STRING),
    fields.value(TAG.OCTET_STRING),
  ];
  fields.end();
  return {
    type,
    emptyAuth: emptyAuth !== null && emptyAuth[0] !== 0,
    policy,
    parent,
    public: readWhole(publicBytes, 'the public part of a key file', (reader) => reader.sized()),
    private: readWhole(privateBytes, 'the private part of a key file', (reader) => reader.sized()),
  };
}

/** `secret` (importable keys), `authPolicy` and an RSA parent change how it is loaded; a description does not. */
function refuseUnknown(fields: DerReader): void {
  if (fields.next === explicitTag(4)) fields.value(explicitTag(4));
  for (const [tag, name] of [
    [2, 'secret'],
    [3, 'authPolicy'],
    [5, 'rsaParent'],
  ] as const) {
    if (fields.next === explicitTag(tag)) {
      throw new TpmFormatError(`the key file has the field ${name}, which is not supported`);
    }
  }
}

function typeOf(oid: Buffer): Tss2Key['type'] {
  for (const type of ['loadable', 'importable', 'sealed'] as const) {
    if (oid.equals(oids[type])) return type;
  }
  throw new TpmFormatError('it is no key file of a TPM: its type is not known');
}

function readPolicy(content: Buffer): PolicyStep[] {
  const steps = new DerReader(inner(content, TAG.SEQUENCE));
  const policy: PolicyStep[] = [];
  while (steps.next !== null) {
    const step = new DerReader(steps.value(TAG.SEQUENCE));
    const code = new DerReader(step.value(explicitTag(0))).integer();
    const statement = inner(step.value(explicitTag(1)), TAG.OCTET_STRING);
    step.end();
    policy.push({ code, statement });
  }
  return policy;
}

/** The content of the one value that there is. */
function inner(content: Buffer, tag: number): Buffer {
  const reader = new DerReader(content);
  const value = reader.value(tag);
  reader.end();
  return value;
}
