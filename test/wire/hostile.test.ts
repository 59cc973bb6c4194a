import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.ts';
import { LineClient } from '../support/line-client.ts';

// The built agent as a process: what is measured is its memory and nobody else's.

let daemon: Daemon;
beforeAll(async () => {
  daemon = await new Daemon({}, { plain: true }).start();
});
afterAll(() => daemon.remove());

const request = (rest: string): string => `{"jsonrpc":"2.0","id":1,${rest}}`;
const params = (text: string): string => request(`"method":"sign","params":${text}`);

/** A line and the kind of error that answers it. */
const lines: readonly (readonly [string | Buffer, string])[] = [
  ['', 'parse_error'],
  ['{', 'parse_error'],
  ['\u0000', 'parse_error'],
  ['{"jsonrpc":"2.0","id":1,"method":"sign","params":{"message_b64":"aGVsbG8"}', 'parse_error'],
  [Buffer.from('{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}', 'latin1'), 'parse_error'],
  [Buffer.from([0xc0, 0x80, 0xed, 0xa0, 0x80]), 'parse_error'],
  ['['.repeat(5000), 'parse_error'],
  [`${'['.repeat(5000)}${']'.repeat(5000)}`, 'invalid_request'],
  [`${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`, 'invalid_request'],
  [params(`{"message_b64":${'['.repeat(5000)}${']'.repeat(5000)}}`), 'invalid_request'],
  [request('"id":2,"method":"ping"'), 'invalid_request'],
  [request('"method":"ping","method":"sign"'), 'invalid_request'],
  [params('{"message_b64":"aGVsbG8","message_b64":"aGVsbG8"}'), 'invalid_request'],
  [request('"method":"ping","__proto__":{"method":"sign"}'), 'invalid_request'],
  [params('{"__proto__":{"message_b64":"aGVsbG8"}}'), 'invalid_params'],
  [params('{"message_b64":"aGVsbG8","constructor":{"prototype":{}}}'), 'invalid_params'],
  ['{"jsonrpc":"2.0","id":1e999,"method":"ping"}', 'invalid_request'],
  [`{"jsonrpc":"2.0","id":${'9'.repeat(400)},"method":"ping"}`, 'invalid_request'],
  [request(`"method":"rotate","params":{"grace_seconds":${'9'.repeat(400)}}`), 'invalid_params'],
  [request('"method":"rotate","params":{"grace_seconds":1e308}'), 'invalid_params'],
  [request('"method":"rotate","params":{"grace_seconds":-0.5}'), 'invalid_params'],
  [request('"method":["sign"]'), 'invalid_request'],
  [request('"method":"sign","params":"message"'), 'invalid_params'],
  [params('{"message_b64":{"length":5}}'), 'invalid_params'],
  [params('{"message_b64":null}'), 'invalid_params'],
  [params('{"message_b64":"\\u0000"}'), 'invalid_params'],
  [params(`{"message_b64":"${'!'.repeat(20_000)}"}`), 'invalid_params'],
  [request(`"method":"${'m'.repeat(2000)}"`), 'method_not_found'],
  [request('"method":"toString"'), 'method_not_found'],
  ['[]', 'invalid_request'],
  ['"sign"', 'invalid_request'],
  [`[${'{"jsonrpc":"2.0","id":1,"method":"ping"},'.repeat(50)}{}]`, 'invalid_request'],
];

test('each hostile line gets its own kind of refusal', async () => {
  for (const [line, kind] of lines) {
    const client = await LineClient.open(daemon.socket);
    client.send(line);
    await client.until((answers) => answers.length === 1);
    expect(client.answers[0]?.error?.data.kind, String(line).slice(0, 80)).toBe(kind);
    expect((await client.call('ping')).result).toEqual({}); // and the connection goes on
    client.close();
  }
});

test('300 KiB without a newline: told so and closed', async () => {
  const client = await LineClient.open(daemon.socket);
  client.socket.write(Buffer.alloc(300 * 1024, 'x'));
  await client.closed;
  expect(client.answers.map(({ error }) => error?.data.kind)).toEqual(['too_large']);
});

test('after 100,000 of them the agent signs, in no more memory', async () => {
  const batch = Buffer.concat(lines.flatMap(([line]) => [Buffer.from(line), Buffer.from('\n')]));
  const flood = async (rounds: number): Promise<number> => {
    const client = await LineClient.open(daemon.socket);
    const kinds = new Map<string, number>();
    let answered = 0;
    for (let round = 1; round <= rounds; round += 1) {
      client.socket.write(batch);
      await client.until((answers) => answers.length === lines.length);
      for (const { error } of client.answers.splice(0)) {
        const kind = error?.data.kind ?? 'none';
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        answered += 1;
      }
    }
    client.close();
    for (const [kind, count] of kinds) {
      expect(count).toBe(rounds * lines.filter(([, expected]) => expected === kind).length);
    }
    return answered;
  };
  // A heap takes some time to find its size, and then goes up and down: what counts is that the second half
  // takes no more than the first did.
  const rounds = Math.ceil(100_000 / 10 / lines.length);
  const sizes: number[] = [];
  let answered = 0;
  for (let step = 0; step < 10; step += 1) {
    answered += await flood(rounds);
    sizes.push(daemon.rss());
  }
  expect(answered).toBeGreaterThanOrEqual(100_000);
  const [first, second] = [Math.max(...sizes.slice(0, 5)), Math.max(...sizes.slice(5))];
  expect(second - first).toBeLessThan(24 * 1024 * 1024);

  for (let closing = 0; closing < 100; closing += 1) {
    const client = await LineClient.open(daemon.socket);
    client.socket.write(Buffer.alloc(300 * 1024, 'x'));
    await client.closed;
  }
  const client = await LineClient.open(daemon.socket);
  const { result } = await client.call('sign', { message_b64: 'aGVsbG8' });
  expect(Buffer.from(String(result?.['signature_b64']), 'base64url')).toHaveLength(64);
  client.close();
});
