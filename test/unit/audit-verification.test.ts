import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Head, Verdict } from '../../src/audit/chain/verdict.ts';
import type { VerifyingKey } from '../../src/audit/chain/record-signature.ts';
import { ChainVerification, type EndOfChain } from '../../src/audit/chain/verification.ts';
import {
  auditKey,
  ChainMaker,
  fileBytes,
  noLine,
  sha256,
  wholeChain,
} from '../support/hand-made-chain.ts';

const key = auditKey();
const stranger = auditKey();
const known: ReadonlyMap<string, VerifyingKey> = new Map([[key.kid, key]]);

interface Given {
  readonly keys?: ReadonlyMap<string, VerifyingKey>;
  readonly head?: Head | null;
  readonly end?: EndOfChain;
}

function verify(
  files: readonly (readonly (string | Buffer)[])[],
  { keys = known, head = null, end = 'final' }: Given = {},
): Verdict {
  const chain = new ChainVerification({ keys, head });
  for (const [at, lines] of files.entries()) {
    chain.beginFile(`file ${at + 1}`);
    for (const line of lines) chain.take(Buffer.from(line));
  }
  return chain.finish(end);
}

/** A verdict of a chain that does not hold. */
function refused(verdict: Verdict): { at: string; problem: string } {
  expect(verdict.valid).toBe(false);
  const [problem] = verdict.problems;
  if (problem === undefined) throw new Error('not valid, and nothing is wrong');
  return {
    at: `${problem.file} line ${problem.line} record ${problem.seq}`,
    problem: problem.problem,
  };
}

const whole = wholeChain(key).files;
/** The file and the line in it of a record, from 0. */
function placeOf(seq: number): [file: number, line: number] {
  let rest = seq - 1;
  for (const [file, lines] of whole.entries()) {
    if (rest < lines.length) return [file, rest];
    rest -= lines.length;
  }
  throw new Error(`there is no record ${seq}`);
}

function editedKeyring(seq: number): string[][] {
  return edited(seq, (line) => line.replace(/"keyring":"\w+"/, '"keyring":"other"'));
}

function changed(change: (files: string[][]) => void): string[][] {
  const files = whole.map((lines) => [...lines]);
  change(files);
  return files;
}

/** Record `seq` with another text. */
function edited(seq: number, edit: (line: string) => string): string[][] {
  const [file, line] = placeOf(seq);
  return changed((files) => {
    const lines = files[file] ?? [];
    lines[line] = edit(lines[line] ?? '');
    expect(lines[line]).not.toBe(whole[file]?.[line]);
  });
}

describe('a chain that holds', () => {
  it('is told with its records, its signers and its head', () => {
    const last = whole.at(-1)?.at(-1) ?? '';
    expect(verify(whole)).toEqual({
      valid: true,
      files: 3,
      records: 14,
      first: expect.objectContaining({ file: 'file 1', line: 1, seq: 1 }) as unknown,
      last: expect.objectContaining({ file: 'file 3', line: 3, seq: 14 }) as unknown,
      head: expect.objectContaining({ seq: 14, hash: sha256(last) }) as unknown,
      signedThrough: 14,
      unsignedTail: 0,
      signers: [key.kid],
      problems: [],
      problemCount: 0,
      warnings: [],
    });
  });

  it('may be signed by one key after the other, ES256 too', () => {
    const second = auditKey('es256');
    const { files } = new ChainMaker(key)
      .event('started')
      .operation()
      .event('checkpoint', second)
      .event('stopped', second);
    const keys = new Map<string, VerifyingKey>([...known, [second.kid, second]]);
    expect(verify(files, { keys })).toMatchObject({
      valid: true,
      signers: [key.kid, second.kid],
      signedThrough: 4,
    });
  });

  it('may begin later than with record 1', () => {
    expect(verify(whole.slice(1))).toMatchObject({ valid: true, first: { seq: 7 } });
  });

  it('may end in a closed file, and that is said', () => {
    const verdict = verify(whole.slice(0, 2));
    expect(verdict).toMatchObject({ valid: true, signedThrough: 11 });
    expect(verdict.warnings).toEqual([expect.stringContaining('the last file was closed')]);
  });

  it('may have stopped and started, and been repaired', () => {
    const { files } = new ChainMaker(key)
      .event('started')
      .event('stopped')
      .event('started')
      .unsignedEvent('repaired', '17 bytes')
      .event('started')
      .event('stopped')
      .nextFile();
    const verdict = verify(files);
    expect(verdict.valid).toBe(true);
    expect(verdict.warnings).toEqual([
      'records that should be signed and are not, so that only a later one vouches for them: 1, the first: record 4, ' +
        'repaired: 17 bytes',
    ]);
  });

  it('tells a clock that was set back, and changes without an end', () => {
    const maker = new ChainMaker(key).event('started').operation({ outcome: 'begun' });
    maker.time -= 3_600_000;
    const verdict = verify(maker.event('stopped').files);
    expect(verdict.valid).toBe(true);
    expect(verdict.warnings).toEqual([
      expect.stringMatching(/clock back.*: 1, the first: record 3 is of 2026-01-02T02:04:07/),
      'changes that were begun and whose end is not recorded: 1, the first: record 2',
    ]);
  });

  it('tells where an agent went on from records that no signature stood behind', () => {
    const killed = new ChainMaker(key).event('started').operation().operation().event('started');
    expect(verify(killed.event('stopped').files)).toMatchObject({
      valid: true,
      warnings: [
        'starts behind records without a signature, so that what the log ended with before is not vouched for: 1, ' +
          'the first: record 4 behind 2 records, from 2 on',
      ],
    });
    const repaired = new ChainMaker(key).event('started').operation().event('repaired');
    expect(verify(repaired.event('started').event('stopped').files).warnings).toHaveLength(1);
    const stripped = new ChainMaker(key)
      .unsignedEvent('started', 'not signed')
      .operation()
      .unsignedEvent('stopped', 'not signed')
      .event('started')
      .event('stopped');
    expect(verify(stripped.files).warnings).toContainEqual(
      expect.stringMatching(/^starts behind .* record 4 behind 2 records, from 2 on$/),
    );
    const inOrder = new ChainMaker(key).event('started').operation().event('stopped');
    inOrder.event('closed').nextFile().continued().event('started').event('stopped');
    expect(verify(inOrder.files)).toMatchObject({ valid: true, warnings: [] });
  });

  it('leaves open what was begun before its first record', () => {
    const { files } = new ChainMaker(key)
      .event('started')
      .operation({ outcome: 'begun' })
      .event('closed')
      .nextFile()
      .continued()
      .operation({ of: 2 })
      .event('stopped');
    expect(verify(files.slice(1))).toMatchObject({ valid: true, warnings: [] });
  });
});

describe('records', () => {
  // Members of record 4, each with another value that the member may have.
  const members: [string, unknown][] = [
    ['v', 2],
    ['seq', 40],
    ['time', '2026-01-02T03:04:08.679Z'],
    ['event', 'continued'],
    ['uid', 1001],
    ['pid', 4243],
    ['user', 'zoe'],
    ['api_key', 'build-farm'],
    ['exe_best_effort', '/usr/bin/nodf'],
    ['scope', 'reader'],
    ['method', 'sigm'],
    ['keyring', 'defaulu'],
    ['kid', '0a1b2c3e'],
    ['subject', 'x'],
    ['message_sha256', [sha256('another message')]],
    ['outcome', 'done'],
    ['kind', 'locked'],
    ['reason', null],
    ['of', 2],
    ['repeated', 1],
    ['prev', sha256('another line')],
  ];
  it.each(members)('cannot have another %s', (member, value) => {
    const files = edited(4, (line) => {
      const record = JSON.parse(line) as Record<string, unknown>;
      expect(Object.keys(record)).toContain(member);
      return JSON.stringify({ ...record, [member]: value });
    });
    const verdict = verify(files);
    expect(refused(verdict).at).toMatch(/^file 1 line 4 record (4|40|null)$/);
    expect(verdict).toMatchObject({ head: { seq: 3 }, signedThrough: 1 });
  });

  it('have no member that the list above leaves out', () => {
    const [file, line] = placeOf(4);
    const record = JSON.parse(whole[file]?.[line] ?? '') as object;
    expect(members.map(([name]) => name)).toEqual(Object.keys(record));
  });

  it.each([
    ['signer', stranger.kid, 'which is none of the keys'],
    ['signature', Buffer.alloc(64, 1).toString('base64url'), 'is not one of key'],
  ])('cannot have another %s', (member, value, problem) => {
    const files = edited(9, (line) => JSON.stringify({ ...JSON.parse(line), [member]: value }));
    expect(refused(verify(files)).problem).toContain(problem);
  });

  const spellings: [string, number, (line: string) => string][] = [
    ['CRLF', 2, (line) => `${line}\r`],
    ['a byte order mark', 2, (line) => `\ufeff${line}`],
    ['a space', 2, (line) => line.replace('"v":1', '"v": 1')],
    ['a member twice', 2, (line) => line.replace('"uid":1000', '"uid":0,"uid":1000')],
    ['a member of its own', 2, (line) => line.replace('"prev"', '"note":1,"prev"')],
    ['a number of another form', 2, (line) => line.replace('"v":1', '"v":1.0')],
    ['an exponent', 2, (line) => line.replace('"uid":1000', '"uid":1e3')],
    ['an escape', 2, (line) => line.replace('"ci"', '"\\u0063i"')],
    ['another order', 2, (line) => line.replace(/("uid":\d+),("pid":\d+)/, '$2,$1')],
    ['a member that is missing', 2, (line) => line.replace('"api_key":null,', '')],
    ['a signature where none belongs', 2, signedLike],
    ['no signature where one belongs', 9, (line) => line.replace(/"signer".*,(?="prev")/, '')],
    ['spare bits in the signature', 9, (line) => line.replace(/(.)",(?="prev")/, 'B",')],
    ['nothing', 2, () => ''],
    ['no JSON', 2, () => 'a record'],
    ['JSON of another kind', 2, () => '[1]'],
    ['half of it', 2, (line) => line.slice(0, line.length / 2)],
  ];
  function signedLike(line: string): string {
    return line.replace('"prev"', `"signer":null,"signature":"","prev"`);
  }
  it.each(spellings)('have one spelling: not with %s', (_, seq, edit) => {
    const { at, problem } = refused(verify(edited(seq, edit)));
    expect(at).toBe(seq === 2 ? 'file 1 line 2 record null' : 'file 2 line 3 record null');
    expect(problem).toMatch(/^the line (is|has) /);
  });

  it('are UTF-8', () => {
    const files: (string | Buffer)[][] = changed(() => undefined);
    const line = Buffer.from(whole[0]?.[1] ?? '');
    line[line.indexOf('ci')] = 0xff;
    files[0]?.splice(1, 1, line);
    expect(refused(verify(files)).problem).toBe('the line is not UTF-8');
    files[0]?.splice(1, 1, Buffer.from([0, 1, 2, 0x80, 0xff, 0xfe]));
    expect(refused(verify(files)).problem).toBe('the line is not UTF-8');
  });

  const otherDigit = (digit: string): string => (digit === '0' ? '1' : '0');
  const changedBy: [string, number, string[][], string][] = [
    ['of an unsigned one, as the next one says', 4, editedKeyring(4), 'it was changed'],
    ['of one before a signed one, as that says', 10, editedKeyring(10), 'it was changed'],
    ['its prev', 5, edited(5, (line) => line.replace(/.(?="}$)/, otherDigit)), 'prev is'],
  ];
  it.each(changedBy)('are named where something was changed: %s', (_, seq, files, problem) => {
    const verdict = verify(files);
    const [file, line] = placeOf(seq);
    const found = refused(verdict);
    expect(found.at).toBe(`file ${file + 1} line ${line + 1} record ${seq}`);
    expect(found.problem).toContain(problem);
    expect(verdict).toMatchObject({ head: { seq: seq - 1 }, problemCount: 1 });
  });

  it.each([
    ['no record', 4],
    ['one that began nothing', 2],
    ['one that has ended', 3],
    ['a later one', 9],
  ])('end what was begun, not %s', (_, of) => {
    const { files } = new ChainMaker(key)
      .event('started')
      .operation()
      .operation({ outcome: 'begun' })
      .operation({ of: 3 })
      .operation({ of })
      .event('stopped');
    expect(refused(verify(files))).toEqual({
      at: 'file 1 line 5 record 5',
      problem: expect.stringContaining(`it ends what record ${of} began`) as unknown,
    });
  });
});

describe('the order', () => {
  const broken: [string, (files: string[][]) => void, string, string][] = [
    [
      'a record that was removed',
      (files) => files[0]?.splice(1, 1),
      'file 1 line 2 record 3',
      'record 2 is missing',
    ],
    [
      'records that were removed',
      (files) => files[0]?.splice(1, 2),
      'file 1 line 2 record 4',
      'records 2 to 3 are missing',
    ],
    [
      'records that changed places',
      ([first]) => first?.splice(1, 2, first[2] ?? '', first[1] ?? ''),
      'file 1 line 2 record 3',
      'seq is 3, expected 2',
    ],
    [
      'a record that comes twice',
      ([first]) => first?.splice(2, 0, first[1] ?? ''),
      'file 1 line 3 record 2',
      'record 2 comes twice',
    ],
    [
      'an older record that comes again',
      ([first]) => first?.splice(3, 0, first[1] ?? ''),
      'file 1 line 4 record 2',
      'record 2 comes after record 3',
    ],
    [
      'a line that was put in',
      ([first]) => first?.splice(2, 0, '{}'),
      'file 1 line 3 record null',
      'the line is of a version',
    ],
    [
      'files in another order',
      (files) => files.reverse(),
      'file 2 line 1 record 7',
      'records are taken',
    ],
    [
      'a file that is given twice',
      (files) => files.splice(1, 0, files[0] ?? []),
      'file 2 line 1 record 1',
      'Files are taken in the order in which they are given',
    ],
    [
      'a file that is missing',
      (files) => files.splice(1, 1),
      'file 2 line 1 record 12',
      'records 7 to 11 are missing. Files are taken in the order',
    ],
    [
      'a file that lost its end',
      (files) => files[0]?.pop(),
      'file 2 line 1 record 7',
      'record 6 is missing',
    ],
    [
      'a file that lost its beginning',
      (files) => files[0]?.shift(),
      'file 1 line 1 record 2',
      'not with one of "operation"',
    ],
    [
      'a record moved to the file before',
      ([first, second]) => first?.push(...(second?.splice(0, 1) ?? [])),
      'file 1 line 7 record 7',
      'it comes after the record that closed its file',
    ],
    [
      'a record moved to the file behind',
      ([first, second]) => second?.unshift(...(first?.splice(-1, 1) ?? [])),
      'file 2 line 1 record 6',
      'does not end in a record "closed"',
    ],
  ];
  it.each(broken)('shows %s', (_, change, at, problem) => {
    const found = refused(verify(changed(change)));
    expect(found.at).toBe(at);
    expect(found.problem).toContain(problem === 'records are taken' ? 'in another place' : problem);
  });

  it('has "continued" at the head of files alone', () => {
    const { files } = new ChainMaker(key).event('started').continued().event('stopped');
    expect(refused(verify(files)).problem).toContain('it begins a file');
  });

  it('begins with zeros, and only record 1 does', () => {
    const later = new ChainMaker(key);
    later.seq = 6;
    expect(refused(verify(later.continued().event('stopped').files)).problem).toContain('zeros');
    const first = new ChainMaker(key);
    first.prev = sha256('a line before');
    expect(refused(verify(first.event('started').event('stopped').files)).problem).toContain(
      'zeros',
    );
  });

  it('is taken up again behind a problem, so that each is told once', () => {
    const files = changed(([first, second]) => {
      first?.splice(1, 1, 'garbage');
      second?.splice(1, 1);
    });
    const verdict = verify(files);
    expect(verdict.problems.map(({ file, line }) => `${file} ${line}`)).toEqual([
      'file 1 2',
      'file 2 2',
    ]);
    expect(verdict).toMatchObject({ head: { seq: 1 }, signedThrough: 1, records: 12 });
  });

  it('lists a hundred problems and counts them all', () => {
    const verdict = verify([Array.from({ length: 1000 }, () => 'garbage')]);
    expect(verdict.problems).toHaveLength(100);
    expect(verdict.problemCount).toBe(1000);
  });
});

describe('signatures', () => {
  /** All hashes made anew by somebody who has no key: the signed records' own text stays as far as it can. */
  function rewritten(sign: (maker: ChainMaker, event: string) => void): string[][] {
    const maker = new ChainMaker(stranger);
    sign(maker, 'started');
    maker.operation({ kid: '99999999' });
    sign(maker, 'stopped');
    return maker.files;
  }

  it('show a chain that was written anew with another key', () => {
    const verdict = verify(rewritten((maker, event) => maker.event(event)));
    expect(refused(verdict)).toEqual({
      at: 'file 1 line 1 record 1',
      problem: `it is signed by ${stranger.kid}, which is none of the keys to verify with`,
    });
    expect(verdict.signedThrough).toBeNull();
  });

  it('show records before them that were written anew', () => {
    const files = changed(([first]) => {
      const maker = new ChainMaker(stranger);
      Object.assign(maker, { seq: 1, prev: sha256(first?.[0] ?? ''), time: maker.time + 1000 });
      maker.operation({ kid: '99999999' }).operation({ outcome: 'begun' }).operation();
      maker.operation({ of: 3 });
      first?.splice(1, 4, ...(maker.files[0] ?? []));
    });
    const verdict = verify(files);
    // Only the last of them is known to be another one; but no more than the first record is vouched for.
    expect(refused(verdict).at).toBe('file 1 line 5 record 5');
    expect(verdict).toMatchObject({ head: { seq: 4 }, signedThrough: 1, problemCount: 1 });
  });

  it('show a record of another chain with the same key', () => {
    const other = new ChainMaker(key).event('started').operation({ user: 'eve' });
    other.event('checkpoint');
    const mine = new ChainMaker(key).event('started').operation().event('checkpoint');
    const files = [[...(mine.files[0] ?? []), ...(other.event('stopped').files[0] ?? []).slice(3)]];
    expect(refused(verify(files))).toEqual({
      at: 'file 1 line 4 record 4',
      problem: expect.stringContaining('is of another chain') as unknown,
    });
  });

  it('show one that claims the known key', () => {
    const claimed = { ...stranger, kid: key.kid };
    const files = rewritten((maker, event) => maker.event(event, claimed));
    expect(refused(verify(files)).problem).toContain(`is not one of key ${key.kid}`);
  });

  it('show one that leaves them out', () => {
    const files = rewritten((maker, event) => maker.unsignedEvent(event, 'the keyring is locked'));
    const verdict = verify(files);
    expect(refused(verdict).problem).toContain('no record is signed');
    expect(verdict.unsignedTail).toBe(3);
    expect(verdict.warnings[0]).toContain('the first: record 1, started: the keyring is locked');
  });

  it('hold for their record alone', () => {
    const signed = JSON.parse(whole[1]?.[2] ?? '') as Record<string, unknown>;
    const { files } = new ChainMaker(key).event('started').operation().event('stopped');
    const last = JSON.parse(files[0]?.pop() ?? '') as Record<string, unknown>;
    files[0]?.push(JSON.stringify({ ...last, signature: signed['signature'] }));
    expect(refused(verify(files)).problem).toContain('its signature is not one of key');
  });

  it('are compared with the key of that id, whatever its kind', () => {
    const other = { ...auditKey('es256'), kid: key.kid };
    expect(refused(verify(whole, { keys: new Map([[key.kid, other]]) })).at).toBe(
      'file 1 line 1 record 1',
    );
    expect(refused(verify(whole, { keys: new Map([[key.kid, stranger]]) })).problem).toContain(
      'its signature is not one of',
    );
  });
});

describe('the end', () => {
  /** The chain's first records. */
  const upTo = (seq: number): string[][] => {
    const [file, line] = placeOf(seq);
    return changed((files) => {
      files.splice(file + 1);
      files[file]?.splice(line + 1);
    });
  };

  it('shows a cut behind every record but a "closed" one and the last', () => {
    for (let seq = 1; seq < 14; seq++) {
      const verdict = verify(upTo(seq));
      expect([seq, verdict.valid]).toEqual([seq, seq === 6 || seq === 11]);
    }
  });

  it('tells what is not signed, and lets it pass where the end is open', () => {
    const files = upTo(4);
    expect(refused(verify(files)).problem).toBe(
      'the chain ends with 3 records after the last signed one, 1: the agent was killed or is running, or the end ' +
        'was cut off; --open accepts that',
    );
    const verdict = verify(files, { end: 'open' });
    expect(verdict).toMatchObject({ valid: true, signedThrough: 1, unsignedTail: 3 });
  });

  it('is not a checkpoint', () => {
    expect(refused(verify(upTo(9))).problem).toContain('ends with a record "checkpoint"');
    expect(verify(upTo(9), { end: 'open' })).toMatchObject({ valid: true, unsignedTail: 0 });
  });

  it('must not come before a head that is known', () => {
    const line = whole[2]?.[1] ?? '';
    const head = { seq: 13, hash: sha256(line) };
    expect(verify(whole, { head }).valid).toBe(true);
    expect(refused(verify(upTo(11), { head })).problem).toContain('record 13 was there once');
    expect(refused(verify(upTo(11), { head, end: 'open' })).at).toBe('file 2 line 5 record 11');
    expect(refused(verify(whole, { head: { seq: 13, hash: noLine } })).at).toBe(
      'file 3 line 2 record 13',
    );
    const early = { seq: 2, hash: sha256(whole[0]?.[1] ?? '') };
    expect(refused(verify(whole.slice(1), { head: early })).problem).toContain('begin after it');
  });

  it('is nothing where there is nothing', () => {
    expect(refused(verify([[]], { end: 'open' })).problem).toBe('there is no record');
    expect(refused(verify([])).problem).toBe('there is no record');
  });

  it('is a whole line', () => {
    for (const beingWritten of [true, false]) {
      const chain = new ChainVerification({ keys: known, head: null });
      chain.beginFile('one');
      for (const line of whole[0] ?? []) chain.take(Buffer.from(line));
      chain.takeTorn(17, beingWritten);
      const verdict = chain.finish('open');
      expect(verdict.valid).toBe(beingWritten);
      const [told] = beingWritten
        ? verdict.warnings
        : verdict.problems.map(({ problem }) => problem);
      expect(told).toContain('the last line is torn: 17 bytes without a newline');
    }
  });

  it('is not looked for in a line without end', () => {
    const chain = new ChainVerification({ keys: known, head: null });
    chain.beginFile('one');
    chain.takeTooLong(1024);
    expect(refused(chain.finish('final'))).toEqual({
      at: 'one line 1 record null',
      problem: 'the line has more than 1024 bytes, and no record has',
    });
  });
});

describe('whatever is done to it', () => {
  const flat = whole.flat();

  /** As files are read: cut at newlines, with what is left behind the last one. */
  function verifyBytes(files: readonly Buffer[], end: EndOfChain): Verdict {
    const chain = new ChainVerification({ keys: known, head: null });
    for (const [at, bytes] of files.entries()) {
      chain.beginFile(`file ${at + 1}`);
      const pieces = bytes.toString('latin1').split('\n');
      const rest = pieces.pop() ?? '';
      for (const piece of pieces) chain.take(Buffer.from(piece, 'latin1'));
      if (rest !== '') chain.takeTorn(rest.length, false);
    }
    return chain.finish(end);
  }

  it('a changed byte is found in its line, and nothing from there on is vouched for', () => {
    const files = whole.map(fileBytes);
    const placed = whole.flatMap((lines, file) =>
      lines.map((_, at) => `file ${file + 1} ${at + 1}`),
    );
    expect(verifyBytes(files, 'final').valid).toBe(true);
    fc.assert(
      fc.property(
        fc.nat(files.length - 1),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (which, offset, mask) => {
          const bytes = Buffer.from(files[which] ?? '');
          const at = offset % bytes.length;
          bytes[at] = (bytes[at] ?? 0) ^ mask;
          const verdict = verifyBytes(files.with(which, bytes), 'open');
          const before = Buffer.concat([...files.slice(0, which), bytes.subarray(0, at)]);
          const linesBefore = before.toString('latin1').split('\n').length - 1;
          const [first] = verdict.problems;
          expect(`${first?.file} ${first?.line}`).toBe(placed[linesBefore]);
          expect(verdict.signedThrough ?? 0).toBeLessThanOrEqual(linesBefore);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('records in another order, or not all of them, are found', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(flat, { minLength: 1 }), (lines) => {
        const start = flat.indexOf(lines[0] ?? '');
        fc.pre(lines.some((line, at) => line !== flat[start + at]));
        expect(verify([lines], { end: 'open' }).valid).toBe(false);
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.array(
            fc.oneof(
              fc.uint8Array().map((bytes) => Buffer.from(bytes)),
              fc.json(),
              fc.constantFrom(...flat),
            ),
          ),
        ),
        fc.constantFrom<EndOfChain>('open', 'final'),
        (files, end) => {
          const { valid, problemCount } = verify(files, { end });
          expect(valid).toBe(problemCount === 0);
        },
      ),
    );
  });
});
