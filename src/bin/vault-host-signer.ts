import { readSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { signUntilEnd } from '../vault/host/signer-loop.ts';
import { verifiedSigner } from '../vault/host/verified-signer.ts';
import { openThreadSigner } from '../vault/pkcs11/token/thread-signer.ts';

/** A thread of the vault host that does nothing but sign. Started by its main thread, and never by hand. */

/** What the main thread starts it with. */
export interface SignerThreadData {
  /** To the agent; reads and writes of it wait. */
  readonly channelFd: number;
  /** Real path of the module, which the main thread has initialised. */
  readonly library: string;
}

const { channelFd, library } = workerData as SignerThreadData;
signUntilEnd({
  read: (into, offset) => readSync(channelFd, into, offset, into.length - offset, null),
  write: (bytes) => {
    for (let at = 0; at < bytes.length;) at += writeSync(channelFd, bytes, at);
  },
  sign: verifiedSigner(openThreadSigner(library)),
  now: () => performance.now(),
});
