import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized, TpmFormatError, TpmReader } from '../../src/formats/tpm/bytes.ts';
import { readHandles, readProperties } from '../../src/formats/tpm/capability.ts';
import { decodeResponse, encodeCommand, responseLength } from '../../src/formats/tpm/command.ts';
import { ALG, CC, commandName } from '../../src/formats/tpm/constants.ts';
import { readCreationData } from '../../src/formats/tpm/creation-data.ts';
import { encodeNvPublic, nvName, readNvPublic } from '../../src/formats/tpm/nv.ts';
import {
  encodePcrSelection,
  policyDigest,
  readPcrSelection,
  readPcrValues,
} from '../../src/formats/tpm/pcr.ts';
import {
  encodePublicArea,
  nameOf,
  pointOf,
  readPublicArea,
} from '../../src/formats/tpm/public-area.ts';
import {
  describeCode,
  isStale,
  mayBeRetried,
  plainCode,
  RC,
} from '../../src/formats/tpm/response-codes.ts';
import { encodeSignature, rawP256, readSignature } from '../../src/formats/tpm/signature.ts';

interface Exchange {
  readonly command: string;
  readonly response: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/tpm-exchanges.json', import.meta.url), 'utf8'),
) as { exchanges: Exchange[] };

/** Commands that answer with a handle before their parameters. */
const answersHandle: readonly number[] = [CC.CreatePrimary, CC.Load, CC.StartAuthSession];

const exchanges = vectors.exchanges.map(({ command, response }) => {
  const [sent, received] = [Buffer.from(command, 'hex'), Buffer.from(response, 'hex')];
  const code = sent.readUInt32BE(6);
  return {
    name: `${commandName(code)} ${describeCode(received.readUInt32BE(6))}`,
    code,
    sent,
    received,
    form: {
      answersHandle: answersHandle.includes(code),
      sessions: sent.readUInt16BE(0) === 0x8002 ? 1 : 0,
    },
  };
});

/** `asked`: how the command's parameters begin. */
function successOf(code: number, asked = ''): TpmReader {
  const found = exchanges.find(
    ({ code: other, sent, received }) =>
      other === code &&
      received.readUInt32BE(6) === 0 &&
      sent.subarray(10).toString('hex').startsWith(asked),
  );
  if (found === undefined) throw new Error(`no exchange of ${commandName(code)} was recorded`);
  return new TpmReader(decodeResponse(found.received, found.form).parameters, 'a recorded answer');
}

/** Each reader with the code of an exchange whose answer it reads. */
const readers: readonly {
  readonly what: string;
  readonly code: number;
  readonly asked?: string;
  readonly read: (reader: TpmReader) => unknown;
}[] = [
  {
    what: 'a primary key',
    code: CC.CreatePrimary,
    read: (reader) => readPublicArea(reader.sized()),
  },
  { what: 'handles', code: CC.GetCapability, asked: '00000001', read: readHandles },
  { what: 'properties', code: CC.GetCapability, asked: '00000006', read: readProperties },
  { what: 'PCR values', code: CC.PCR_Read, read: readPcrValues },
  { what: 'an NV index', code: CC.NV_ReadPublic, read: (reader) => readNvPublic(reader.sized()) },
  { what: 'a signature', code: CC.Sign, read: readSignature },
];

describe.each(exchanges)('a recorded exchange: $name', ({ received, form }) => {
  it('is read', () => {
    expect(responseLength(received)).toBe(received.length);
    const { code, handle, authorizations } = decodeResponse(received, form);
    expect(code).toBe(received.readUInt32BE(6));
    expect(handle !== null).toBe(code === 0 && form.answersHandle);
    expect(authorizations).toHaveLength(code === 0 ? form.sessions : 0);
  });

  it('is refused where it is cut off, at whichever byte', () => {
    for (let length = 0; length < received.length; length += 1) {
      expect(() => decodeResponse(received.subarray(0, length), form)).toThrow(TpmFormatError);
    }
    // And where the header tells the truth of it.
    for (let length = 10; length < received.length && received.readUInt32BE(6) === 0; length += 1) {
      const cut = Buffer.from(received.subarray(0, length));
      cut.writeUInt32BE(length, 2);
      if (form.sessions === 0 && !(form.answersHandle && length < 14)) continue;
      expect(() => decodeResponse(cut, form)).toThrow(TpmFormatError);
    }
  });

  it('is read or refused, whatever any byte becomes', () => {
    for (let at = 0; at < received.length; at += 1) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const changed = Buffer.from(received);
        changed[at] = value;
        onlyFormatErrors(() => decodeResponse(changed, form));
      }
    }
  });
});

function onlyFormatErrors(read: () => unknown): void {
  try {
    read();
  } catch (failure) {
    if (!(failure instanceof TpmFormatError)) throw failure;
  }
}

describe.each(readers)('$what as a TPM answers it', ({ code, asked, read }) => {
  it('is read, and refused where it is cut off', () => {
    const parameters = successOf(code, asked).rest();
    expect(() => read(new TpmReader(parameters, 'test'))).not.toThrow();
    for (let length = 0; length < parameters.length; length += 1) {
      onlyFormatErrors(() => read(new TpmReader(parameters.subarray(0, length), 'test')));
    }
  });

  it('is read or refused, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        onlyFormatErrors(() => read(new TpmReader(bytes, 'test')));
      }),
    );
  });
});

describe('what a TPM answered', () => {
  it('has public areas that are written as they were read, with the name that the TPM gives them', () => {
    const answer = successOf(CC.CreatePrimary);
    const area = answer.sized();
    expect(encodePublicArea(readPublicArea(area))).toEqual(area);
    expect(pointOf(readPublicArea(area))).toHaveLength(65);
    answer.sized(); // creation data
    answer.sized(); // its digest
    answer.bytes(6); // the ticket's tag and hierarchy
    answer.sized();
    expect(nameOf(area)).toEqual(answer.sized());
  });

  it('has NV areas with the name that the TPM gives them', () => {
    const answer = successOf(CC.NV_ReadPublic);
    const area = readNvPublic(answer.sized());
    expect(nvName(area)).toEqual(answer.sized());
    expect(readNvPublic(encodeNvPublic(area))).toEqual(area);
  });

  it('has signatures that are written as they were read', () => {
    const bytes = successOf(CC.Sign).rest();
    const signature = readSignature(new TpmReader(bytes, 'test'));
    expect(encodeSignature(signature)).toEqual(bytes);
    expect(rawP256(signature)).toHaveLength(64);
  });
});

describe('readers', () => {
  it('refuse lengths and counts beyond the bytes that are there', () => {
    const huge = Buffer.from('ffffffff', 'hex');
    expect(() => new TpmReader(huge, 'x').sized()).toThrow(TpmFormatError);
    expect(() => new TpmReader(huge, 'x').count(1)).toThrow(TpmFormatError);
    expect(() => readPcrSelection(new TpmReader(huge, 'x'))).toThrow(TpmFormatError);
    const handles = Buffer.concat([Buffer.from('0000000001ffffffff', 'hex'), Buffer.alloc(100)]);
    expect(() => readHandles(new TpmReader(handles, 'x'))).toThrow(/a list of 4294967295 entries/);
    const properties = Buffer.concat([Buffer.from('000000000640000000', 'hex')]);
    expect(() => readProperties(new TpmReader(properties, 'x'))).toThrow(TpmFormatError);
  });

  it('refuse a response of another length than it has, or of TPM 1.2', () => {
    const ok = Buffer.from('80010000000a00000000', 'hex');
    const form = { answersHandle: false, sessions: 0 };
    expect(decodeResponse(ok, form).code).toBe(0);
    for (const bad of [
      '80010000000b00000000',
      '800100000009000000',
      '8001ffffffff00000000',
      '00c40000000a0000001e',
      '',
    ]) {
      expect(() => decodeResponse(Buffer.from(bad, 'hex'), form)).toThrow(TpmFormatError);
    }
  });

  it('refuse a response with sessions where none were sent, and one without where some were', () => {
    const plain = Buffer.from('80010000000a00000000', 'hex');
    const withArea = Buffer.from('80020000000e0000000000000000', 'hex');
    expect(() => decodeResponse(plain, { answersHandle: false, sessions: 1 })).toThrow(
      TpmFormatError,
    );
    expect(() => decodeResponse(withArea, { answersHandle: false, sessions: 0 })).toThrow(
      TpmFormatError,
    );
  });

  it('refuse public areas with something behind them, and types that are not known', () => {
    const area = successOf(CC.CreatePrimary).sized();
    expect(() => readPublicArea(Buffer.concat([area, Buffer.of(0)]))).toThrow(/1 bytes too many/);
    const other = Buffer.from(area);
    other.writeUInt16BE(0x25, 0);
    expect(() => readPublicArea(other)).toThrow(/type 0x25/);
  });

  it('refuse creation data that is cut off', () => {
    const answer = successOf(CC.CreatePrimary);
    answer.sized();
    const data = answer.sized();
    expect(readCreationData(data).pcrs).toEqual([]);
    for (let length = 0; length < data.length; length += 1) {
      expect(() => readCreationData(data.subarray(0, length))).toThrow(TpmFormatError);
    }
  });
});

describe('commands', () => {
  it('are written as the specification has them', () => {
    const flush = {
      code: CC.FlushContext,
      handles: [],
      authorizations: [],
      parameters: Buffer.from('80000001', 'hex'),
    };
    expect(encodeCommand(flush).toString('hex')).toBe('80010000000e0000016580000001');
    const withSession = {
      ...flush,
      handles: [0x40000001],
      authorizations: [
        { sessionHandle: 0x40000009, nonce: Buffer.alloc(0), attributes: 1, hmac: Buffer.alloc(0) },
      ],
    };
    expect(encodeCommand(withSession).toString('hex')).toBe(
      '80020000001f00000165400000010000000940000009000001000080000001',
    );
  });

  it('are those that were recorded', () => {
    for (const { code, sent } of exchanges) {
      expect(sent.readUInt32BE(2)).toBe(sent.length);
      expect(commandName(code)).toMatch(/^TPM2_/);
    }
  });
});

describe('PCR selections', () => {
  it('are written and read', () => {
    const set = fc.uniqueArray(fc.integer({ min: 0, max: 23 }));
    fc.assert(
      fc.property(set, (pcrs) => {
        const read = readPcrSelection(new TpmReader(encodePcrSelection(pcrs), 'x'));
        expect(read).toEqual(pcrs.toSorted((a, b) => a - b));
      }),
    );
    expect(encodePcrSelection([7, 11]).toString('hex')).toBe('00000001000b03800800');
  });

  it('have no register that a TPM has not, and no other bank', () => {
    for (const pcr of [-1, 24, 1.5]) expect(() => encodePcrSelection([pcr])).toThrow(RangeError);
    const sha1 = Buffer.from('00000001000403800000', 'hex');
    expect(() => readPcrSelection(new TpmReader(sha1, 'x'))).toThrow(/another bank/);
  });

  it('make the digest of a policy, nothing where nothing is demanded', () => {
    expect(policyDigest([], null, false)).toEqual(Buffer.alloc(32));
    const one = policyDigest([7], Buffer.alloc(32), false);
    expect(one).not.toEqual(policyDigest([7], Buffer.alloc(32), true));
    expect(one).not.toEqual(policyDigest([8], Buffer.alloc(32), false));
  });
});

describe('response codes', () => {
  it.each([
    [0x98e, RC.AUTH_FAIL, 'TPM_RC_AUTH_FAIL (0x98e, session 1)'],
    [0x9a2, RC.BAD_AUTH, 'TPM_RC_BAD_AUTH (0x9a2, session 1)'],
    [0x1df, RC.INTEGRITY, 'TPM_RC_INTEGRITY (0x1df, parameter 1)'],
    [0x18b, RC.HANDLE, 'TPM_RC_HANDLE (0x18b, handle 1)'],
    [0x921, RC.LOCKOUT, 'TPM_RC_LOCKOUT (0x921)'],
    [0x922, RC.RETRY, 'TPM_RC_RETRY (0x922)'],
    [0x91a, RC.REFERENCE_S0, 'TPM_RC_REFERENCE_S0 (0x91a)'],
    [0x7ff, 0x0bf, 'TPM_RC (0x7ff, parameter 7)'],
  ])('0x%s is told by its name and its place', (code, plain, text) => {
    expect(plainCode(code)).toBe(plain);
    expect(describeCode(code)).toBe(text);
  });

  it('say whether the same bytes may go again, and whether what was loaded is gone', () => {
    for (const code of [0x922, 0x908, 0x90a, 0x920]) expect(mayBeRetried(code)).toBe(true);
    for (const code of [0, 0x921, 0x98e, 0x101]) expect(mayBeRetried(code)).toBe(false);
    for (const code of [0x18b, 0x910, 0x918, 0x919]) expect(isStale(code)).toBe(true);
    for (const code of [0x921, 0x98e, 0x902]) expect(isStale(code)).toBe(false);
  });
});

describe('signatures', () => {
  it('get their leading zeros back', () => {
    const signature = {
      scheme: 'ecdsa',
      hash: ALG.SHA256,
      r: Buffer.of(1),
      s: Buffer.of(2),
    } as const;
    const raw = rawP256(signature);
    expect(raw).toHaveLength(64);
    expect([raw[31], raw[63]]).toEqual([1, 2]);
    expect(() => rawP256({ ...signature, r: Buffer.alloc(33) })).toThrow(TpmFormatError);
  });

  it('of other schemes are refused', () => {
    const ecdaa = Buffer.concat([Buffer.from('001a000b', 'hex'), sized(Buffer.of(1))]);
    expect(() => readSignature(new TpmReader(ecdaa, 'x'))).toThrow(/scheme 0x1a/);
  });
});
