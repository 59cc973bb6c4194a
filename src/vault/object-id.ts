/**
 * Object ids: 16 bytes in lowercase hex, the first six the milliseconds since the epoch at which the id was made
 * (big-endian), the other ten random. The token alone then says in which order its keys were made, which is
 * what a lost key record is rebuilt by; the ids' own order is the order of time.
 */

/** Random bytes in an id. */
export const objectIdRandomLength = 10;

const timeLength = 6;
const form = /^[0-9a-f]{32}$/;
/** Ids that other programs gave begin with anything but a time of this program. */
const earliest = Date.UTC(2020, 0, 1);

/** `now`: milliseconds since the epoch. `random`: `objectIdRandomLength` bytes. */
export function newObjectId(now: number, random: Uint8Array): string {
  if (random.length !== objectIdRandomLength) {
    throw new RangeError(`an object id takes ${objectIdRandomLength} random bytes`);
  }
  const time = Buffer.alloc(timeLength);
  time.writeUIntBE(Math.max(0, Math.floor(now)), 0, timeLength);
  return Buffer.concat([time, random]).toString('hex');
}

/**
 * When the id was made, milliseconds since the epoch; null where it is of another form or says a time at which
 * there was no such program. Whether the time lies in the future is for the caller to see.
 */
export function madeAt(objectId: string): number | null {
  if (!form.test(objectId)) return null;
  const time = Number.parseInt(objectId.slice(0, 2 * timeLength), 16);
  return time < earliest ? null : time;
}
