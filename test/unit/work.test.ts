import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lane } from '../../src/server/socket/lane.ts';
import { socketLimits } from '../../src/server/socket/limits.ts';
import { Work, type Request } from '../../src/server/socket/work.ts';

const limits = {
  ...socketLimits({ maxFrameBytes: 1024, maxConnections: 10, maxConnectionsPerUid: 10 }),
  maxInFlightPerConnection: 8,
  maxInFlightBytesPerConnection: 100,
};

test('whatever begins and ends, in any order, is counted here and in its lane', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 }), { maxLength: 80 }), (steps) => {
      const work = new Work(limits);
      const lane = new Lane({ kind: 'user', name: 'uid 1000' });
      const open: Request[] = [];
      const ended: Request[] = [];
      for (const step of steps) {
        // An odd step ends one of those that are open, and is told so once.
        const [request] = step % 2 === 1 ? open.splice(step % (open.length || 1), 1) : [];
        if (request === undefined) {
          open.push(work.begin(Buffer.alloc(step), lane));
        } else {
          expect(work.end(request)).toBe(true);
          ended.push(request);
        }
        for (const one of ended) expect(work.end(one)).toBe(false);
        const bytes = open.reduce((sum, { frame }) => sum + frame.length, 0);
        expect(work.count).toBe(open.length);
        expect(lane.inFlight).toBe(open.length);
        expect(work.isFull).toBe(open.length >= 8 || bytes >= 100);
        expect(new Set(work.requests())).toEqual(new Set(open));
      }
    }),
  );
});

test('requests come back as they were handed on, whatever has ended between', () => {
  const work = new Work(limits);
  const lane = new Lane({ kind: 'user', name: 'uid 1000' });
  const [first, second, third, fourth] = [1, 2, 3, 4].map((n) => work.begin(Buffer.alloc(n), lane));
  if (second !== undefined) work.end(second);
  expect(work.requests()).toEqual([first, third, fourth]);
});
