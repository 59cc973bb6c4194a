// Signatures a second, against loops that sign with nothing around them.
import { availableParallelism } from 'node:os';
import { worker } from './machine/processes.js';
import { contest, contestTable, loadsOf, threadsOf } from './contest.js';

const keyrings = {
  file: 'file keyring',
  softhsm: 'softhsm keyring',
};

/** A file keyring, and node:crypto. */
export const file = {
  async prepare(stage) {
    const loop = worker('crypto-loop.js');
    const loops = {
      'node:crypto, one thread': () => loop.order({ seconds: stage.seconds }),
    };
    return contest(loops, loadsOf(stage, await stage.agent(), 'file'), availableParallelism());
  },
  table: (figures) => contestTable(keyrings.file, figures),
};

/** A keyring on SoftHSM, and the same token from C. */
export const softhsm = {
  async prepare(stage) {
    const loops = threadsOf([1, 2, 4, 8], (threads) => stage.direct(threads));
    return contest(loops, loadsOf(stage, await stage.agent(), 'softhsm'), availableParallelism());
  },
  table: (figures) => contestTable(keyrings.softhsm, figures),
};
