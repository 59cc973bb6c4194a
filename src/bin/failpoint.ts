/**
 * Kill tests need a process that ends at a certain step, as if it had been killed there. With
 * `SIGNING_AGENT_FAILPOINT=STEP` in the environment it sends itself SIGKILL when it reaches that step the first
 * time, with `STEP:N` the Nth time. Nothing but the end of the process can be had from it.
 */
export function failpoint(
  environment: Readonly<Record<string, string | undefined>>,
): (step: string) => void {
  const [wanted, count = '1'] = (environment['SIGNING_AGENT_FAILPOINT'] ?? '').split(':');
  if (wanted === '') return () => undefined;
  let left = Number(count);
  return (step) => {
    if (step !== wanted) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
