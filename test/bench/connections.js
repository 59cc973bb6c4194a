// What connections cost on which nothing is said.
import { join } from 'node:path';
import { configureAgent, makeToken, onToken, openConnections } from './agents.js';
import { residentOf, startUntil } from './processes.js';
import { warmUp } from './stage.js';
import { medianOf, medianRatio } from './statistics.js';
import { fixed, megabytes, row } from './table.js';

const many = 10_000;
const keyring = 'default';
/** Open files that one process needs: the connections, and what it has anyway. */
const descriptors = many + 1000;

export const connections = {
  async prepare(stage) {
    const token = await makeToken(join(stage.folder, 'token-connections'));
    const agent = configureAgent(join(stage.folder, 'connections'), {
      keyrings: { [keyring]: onToken(token) },
      token,
      socketLines: 'max_connections = 20000\nmax_connections_per_uid = 20000',
      descriptors,
    });
    const { pid } = await agent.start();
    const { socket } = agent;
    await stage.sign(socket, { keyring, ...warmUp });
    const rss = () => residentOf(pid).reduce((sum, member) => sum + member.rss, 0);
    const measure = async () => {
      const { perSecond, medianUs, p99Us } = await stage.roundtrip('sign', socket, keyring);
      return { perSecond, medianUs, p99Us, rss: rss() };
    };
    const { roundtrip } = await stage.programs();
    return {
      contestants: {
        few: measure,
        async many() {
          const command = [roundtrip, 'idle', socket, String(many)];
          const idle = await startUntil('ready', command, { descriptors });
          const open = await openConnections(socket);
          if (open < many) throw new Error(`only ${open} connections are open`);
          const measured = await measure();
          await idle.stop();
          return { ...measured, openMs: idle.startMs };
        },
      },
      figures: ({ few, many: crowd }) => ({
        idle_0: figuresOf(few),
        idle_10000: { ...figuresOf(crowd), open_ms: medianOf(crowd, 'openMs') },
        // The first round's: a heap that has grown once stays so.
        rss_added: Math.max(...crowd.map((result) => result.rss)) - few[0].rss,
        p99_ratio: medianRatio(
          crowd.map((result) => result.p99Us),
          few.map((result) => result.p99Us),
        ),
      }),
    };
  },
  table: ({ idle_0, idle_10000, rss_added, p99_ratio }) => {
    const measured = (name, { rss, median_us, p99_us }, open_ms) =>
      row(name, megabytes(rss), fixed(median_us, 1), fixed(p99_us, 1), fixed(open_ms, 0));
    return [
      row('idle connections, softhsm keyring', 'MB RSS', 'median us', 'p99 us', 'opened in ms'),
      measured('  0', idle_0),
      measured(`  ${many}`, idle_10000, idle_10000.open_ms),
      row('  more, and times the p99', megabytes(rss_added), '', fixed(p99_ratio, 2)),
      '  target: less than 300 MB more, the p99 at most doubled',
    ];
  },
};

const figuresOf = (results) => ({
  rss: medianOf(results, 'rss'),
  median_us: medianOf(results, 'medianUs'),
  p99_us: medianOf(results, 'p99Us'),
});
