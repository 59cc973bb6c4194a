// The memory of the agent and of the processes that it starts, over many signatures.
import { residentOf } from '../machine/processes.js';
import { megabytes, row } from '../report/table.js';

const signatures = 200_000;
const step = 40_000;

export const memory = {
  async prepare(stage) {
    const agent = await stage.agent();
    return {
      contestants: {},
      async figures() {
        stage.progress(`${signatures} signatures for the memory`);
        const at = (made) => {
          const processes = residentOf(agent.pid);
          const rss = processes.reduce((sum, { rss: own }) => sum + own, 0);
          return { signatures: made, rss, processes };
        };
        const measured = [at(0)];
        for (let made = step; made <= signatures; made += step) {
          for (const keyring of ['file', 'softhsm']) {
            await stage.sign(agent, { keyring, connections: 8, depth: 16, count: step / 2 });
          }
          measured.push(at(made));
        }
        return measured;
      },
    };
  },
  table: (figures) => [
    row('memory, half with each keyring', 'MB RSS', 'agent', 'children'),
    ...figures.map(({ signatures: made, rss, processes: [agent, ...children] }) =>
      row(
        `  after ${made} signatures`,
        megabytes(rss),
        megabytes(agent.rss),
        ...(children.length === 0 ? ['none'] : children.map((child) => megabytes(child.rss))),
      ),
    ),
  ],
};
