import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Daemon, run } from '../support/daemon.ts';

const program = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));
const mebibyte = 1024 * 1024;
const daemon = new Daemon();
const path = (name: string): string => join(daemon.folder, name);

/** Says on stderr, last, how much memory the program had at most, in KiB. */
const measured =
  'data:text/javascript,process.on("exit",()=>process.stderr.write(`${process.resourceUsage().maxRSS}`))';

/** A line for the shell with agentctl in it; answers its highest memory in bytes. */
function peak(line: string): { status: number | null; out: string; peak: number } {
  const shell = `agentctl() { "${process.execPath}" --import '${measured}' "${program}" "$@"; }; ${line}`;
  const env = { ...process.env, SIGNING_AGENT_SOCK: daemon.socket };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', shell], { cwd: daemon.folder, env });
  return { status, out: stdout.toString(), peak: Number(stderr.toString()) * 1024 };
}

beforeAll(async () => {
  await daemon.start();
  const fd = openSync(path('large'), 'w');
  ftruncateSync(fd, 256 * mebibyte); // zeros that take no room
  closeSync(fd);
  writeFileSync(path('small'), 'x');
  const { out } = await daemon.agentctl(['--json', 'keys', 'list']);
  const [key] = (JSON.parse(out) as { keys: { kid: string }[] }).keys;
  const show = ['keys', 'show', key?.kid ?? '', '--format'];
  writeFileSync(path('key.pub'), (await daemon.agentctl([...show, 'minisign'])).out);
  const ssh = (await daemon.agentctl([...show, 'ssh'])).out;
  writeFileSync(path('allowed'), `deploy ${ssh}`);
});
afterAll(() => daemon.remove());

it.each(['sshsig', 'minisign'])(
  'a file of any size is signed and verified in the memory of a small one: %s',
  async (format) => {
    const sign = (file: string): ReturnType<typeof peak> =>
      peak(`agentctl sign ${file} --format ${format} --out ${file}.sig`);
    const verify = (file: string): ReturnType<typeof peak> =>
      peak(`agentctl verify ${file} --signature ${file}.sig`);
    for (const act of [sign, verify]) {
      const [small, large] = [act('small'), act('large')];
      expect([small.status, large.status]).toEqual([0, 0]);
      expect(small.peak).toBeGreaterThan(10 * mebibyte);
      expect(large.peak - small.peak).toBeLessThan(64 * mebibyte);
    }
    const stock =
      format === 'sshsig'
        ? 'ssh-keygen -Y verify -f allowed -I deploy -n file -s large.sig < large'
        : 'minisign -V -p key.pub -m large -x large.sig';
    expect((await run('sh', ['-c', `cd "$0" && ${stock}`, daemon.folder])).code).toBe(0);
    const piped = peak(`agentctl verify --signature large.sig < large`);
    expect(piped.out).toMatch(/^valid: /);
    expect(peak('head -c 1 large | agentctl verify --signature large.sig').status).toBe(5);
  },
);
