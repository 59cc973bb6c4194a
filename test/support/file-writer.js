// A process that writes through `durableFiles`: `count PATH TIMES`, `flip PATH`, `once PATH BYTES`. Started as `bundled`
// has made it.
import { AgentError } from '../../src/base/errors.ts';
import { durableFiles } from '../../src/files/durable-files.ts';
import { openLibc } from '../../src/native/libc.ts';

const [what, path, amount] = process.argv.slice(2);
const files = durableFiles(openLibc());

/** Adds one to the number in the file, as often as it takes to get it in. */
async function increment() {
  for (;;) {
    const content = files.read(path);
    const next = Number(content?.bytes.toString() ?? '0') + 1;
    try {
      await files.replace(path, Buffer.from(String(next)), content?.identity ?? null);
      return;
    } catch (error) {
      if (!(error instanceof AgentError) || error.kind !== 'conflict') throw error;
    }
  }
}

/** Whole files of one letter, for ever; says so after each. */
async function flip() {
  let identity = files.read(path)?.identity ?? null;
  for (let round = 0; ; round++) {
    const letter = round % 2 === 0 ? 'b' : 'a';
    identity = await files.replace(path, Buffer.alloc(256 * 1024, letter), identity);
    process.stdout.write(`${letter}\n`);
  }
}

async function once() {
  // Over RLIMIT_FSIZE the kernel sends this signal, and EFBIG to who survives it.
  process.on('SIGXFSZ', () => undefined);
  try {
    await files.replace(path, Buffer.alloc(Number(amount)), files.read(path)?.identity ?? null);
    process.stdout.write('written');
  } catch (error) {
    process.stdout.write(error instanceof AgentError ? `${error.kind}: ${error.message}` : 'a bug');
  }
}

if (what === 'count') for (let left = Number(amount); left > 0; left--) await increment();
if (what === 'flip') await flip();
if (what === 'once') await once();
