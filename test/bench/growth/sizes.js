// Messages of many sizes, up to what the longest frame takes, beside node:crypto on one thread.
import { join } from 'node:path';
import { configureAgent, onFile } from '../agents.js';
import { worker } from '../machine/processes.js';
import { growthOf, growthTable, withHoldings } from './growth.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
/** Of a frame, which has the message in base64: three bytes in four characters, and what is around it. */
const longestFrame = 16 * mebibyte;
const largest = Math.floor(((longestFrame - 4 * kibibyte) * 3) / 4);
const sizes = [
  ...[0, 32, kibibyte, 16 * kibibyte, 256 * kibibyte, mebibyte, 4 * mebibyte].map((bytes) => [
    bytes,
    named(bytes),
  ]),
  [largest, 'a 16 MiB frame'],
];
const keyring = 'default';

export const messageSizes = {
  async prepare(stage) {
    const agent = await configureAgent(join(stage.folder, 'sizes'), {
      keyrings: { [keyring]: onFile },
      socketLines: `max_frame_bytes = ${longestFrame}`,
    }).start();
    await stage.warmUpAll(agent, [keyring]);
    const loop = worker('crypto-loop.js');
    const entries = sizes.map(([bytes, name]) => {
      // As many bytes in flight as eight of the longest frames at most.
      const depth = bytes > mebibyte ? 1 : bytes > 16 * kibibyte ? 2 : 16;
      const order = { keyring, connections: 8, depth, bytes };
      return [name, async () => withHoldings(agent, await stage.sign(agent, order))];
    });
    const others = Object.fromEntries(
      sizes.map(([bytes, name]) => [
        `loop, ${name}`,
        () => loop.order({ seconds: stage.seconds, bytes }),
      ]),
    );
    const loops = Object.fromEntries(sizes.map(([, name]) => [`file, ${name}`, `loop, ${name}`]));
    return growthOf({ file: Object.fromEntries(entries) }, { others, loops });
  },
  table: (figures) => growthTable('bytes of a message', figures),
};

function named(bytes) {
  if (bytes >= mebibyte) return `${bytes / mebibyte} MiB`;
  return bytes >= kibibyte ? `${bytes / kibibyte} KiB` : `${bytes} bytes`;
}
