import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { maxDurationSeconds, parseDuration } from '../../src/base/duration.ts';
import { Output, protectionInWords } from '../../src/cli/shell/output.ts';
import { escapeControls, jsonText } from '../../src/cli/shell/text.ts';
import { when } from '../../src/cli/shell/when.ts';

describe('durations', () => {
  it.each([
    ['0s', 0],
    ['90s', 90],
    ['15m', 900],
    ['24h', 86_400],
    ['7d', 604_800],
    ['3650d', maxDurationSeconds],
  ])('%s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each([
    '',
    '7',
    'd',
    '-1s',
    '1.5h',
    '1w',
    '7 d',
    ' 7d',
    '1h30m',
    '3651d',
    '99999999999s',
    '0x9s',
  ])('not %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});

describe('times', () => {
  const now = Date.parse('2026-05-14T18:20:00Z');
  it.each([
    ['2026-05-21T17:55:00Z', 'in 6d 23h (2026-05-21 17:55:00Z)'],
    ['2026-05-14T18:20:00.4Z', 'now (2026-05-14 18:20:00Z)'],
    ['2026-05-14T18:19:15Z', '45s ago (2026-05-14 18:19:15Z)'],
    ['2026-05-14T20:20:00.123456789+02:00', 'now (2026-05-14 18:20:00Z)'],
    ['2026-05-14T17:19:00Z', '1h 1m ago (2026-05-14 17:19:00Z)'],
    ['2026-05-15T18:20:30Z', 'in 1d (2026-05-15 18:20:30Z)'],
    ['soon', 'soon'],
  ])('%s', (time, text) => {
    expect(when(time, now)).toBe(text);
  });
});

describe('text from elsewhere', () => {
  it('cannot steer the terminal', () => {
    expect(escapeControls('a\u001b[31mb\nc\u009b\u202ed\ud800')).toBe(
      'a\\u{1b}[31mb\\nc\\u{9b}\\u{202e}d\\u{d800}',
    );
  });

  it('is the same JSON value after escaping', () => {
    const value = { text: 'a\u001b\u007f\u009b\u202e\u{e0001}ü' };
    expect(jsonText(value)).toMatch(/^[\x20-\x7eü]*$/);
    expect(JSON.parse(jsonText(value))).toEqual(value);
  });
});

describe('output for people', () => {
  function written(isTTY: boolean, env: Record<string, string>): string {
    const stdout = Object.assign(new PassThrough(), { isTTY });
    const stderr = new PassThrough();
    const output = new Output({ stdin: new PassThrough(), stdout, stderr, env, now: Date.now });
    output.table([
      ['long name', { text: 'ok', style: 'green' }],
      ['x', 'y\u001b'],
    ]);
    return String(stdout.read());
  }

  it('is aligned, and coloured on a terminal alone', () => {
    expect(written(false, {})).toBe('long name  ok\nx          y\\u{1b}\n');
    expect(written(true, {})).toBe('long name  \u001b[32mok\u001b[0m\nx          y\\u{1b}\n');
    expect(written(true, { NO_COLOR: '1' })).toBe(written(false, {}));
    expect(written(true, { TERM: 'dumb' })).toBe(written(false, {}));
    expect(written(true, { NO_COLOR: '' })).toBe(written(true, {}));
  });

  it('says what protection means', () => {
    expect(protectionInWords('software')).toContain('can be copied');
    expect(protectionInWords('hardware')).toBe('hardware: made in the device, never leaves it');
    expect(protectionInWords('quantum')).toBe('quantum');
  });
});
