import { readFileSync } from 'node:fs';

/** This package's version; package.json lies two folders above, in src/ and in dist/. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
