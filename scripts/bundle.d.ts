/** Packages with native code, and what requires them: loaded where they lie. */
export const native: readonly string[];
/** Writes the programs and the licences of what is in them into that folder. */
export function bundle(root: string, outdir: string): Promise<void>;
