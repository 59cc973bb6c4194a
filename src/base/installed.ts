import { fileURLToPath } from 'node:url';

/** The file of another program of this package. */
export function programFile(name: 'module-probe' | 'vault-host'): string {
  return fileURLToPath(new URL(`../bin/${name}.js`, import.meta.url));
}
