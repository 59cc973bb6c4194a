import { SshFormatError } from './wire.ts';

const time = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(z)?$/i;

/**
 * `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in UTC with a `Z` behind it, else by the clock on this machine's wall. (ssh-keygen
 * itself leaves out summer time: there such a time is an hour later.) Milliseconds since the epoch; throws
 * SshFormatError, where `name` is what the time is called.
 */
export function parseSshTime(name: string, text: string): number {
  const match = time.exec(text);
  if (match === null) throw new SshFormatError(`${name} is no time: YYYYMMDD[HHMM[SS]][Z]`);
  const field = (at: number): number => Number(match[at] ?? '0');
  const [year, month, day] = [field(1), field(2) - 1, field(3)];
  const [hour, minute, second] = [field(4), field(5), field(6)];
  const written = new Date(Date.UTC(year, month, day));
  const isDay = written.getUTCMonth() === month && written.getUTCDate() === day;
  if (!isDay || hour > 23 || minute > 59 || second > 60) {
    throw new SshFormatError(`${name} is no time that there is`);
  }
  const ms =
    match[7] === undefined
      ? new Date(year, month, day, hour, minute, second).getTime()
      : Date.UTC(year, month, day, hour, minute, second);
  // To ssh-keygen the epoch itself is no time: it would stand for no limit.
  if (ms <= 0) throw new SshFormatError(`${name} is no time that there is`);
  return ms;
}
