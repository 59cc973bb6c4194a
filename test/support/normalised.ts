/**
 * What a program printed, without what is another in every run: times, key ids, signatures, numbers of processes. Key
 * ids are numbered as they come, so that the same one is still told from another one.
 */
export class Normalised {
  readonly #ids = new Map<string, string>();
  readonly #paths: readonly (readonly [string, string])[];

  /** `paths`: folders of this run, and what stands for each. */
  constructor(paths: readonly (readonly [string, string])[] = []) {
    this.#paths = paths;
  }

  text(said: string): string {
    let text = said;
    for (const [path, name] of this.#paths) text = text.replaceAll(path, name);
    for (const [pattern, name] of volatile) text = text.replaceAll(pattern, name);
    return text
      .replaceAll(/\b[0-9a-f]{8}\b/g, (id) => this.#nameOf(id))
      .split('\n')
      .map((line) => line.replaceAll(/ {2,}/g, ' ').trimEnd())
      .join('\n')
      .trimEnd();
  }

  /** The id that stands in the other one's place: each was the same number to come. */
  translated(command: string, theirs: Normalised): string {
    return command.replaceAll(/\b[0-9a-f]{8}\b/g, (id) => {
      const name = theirs.#ids.get(id);
      const own = [...this.#ids].find(([, named]) => named === name)?.[0];
      return name === undefined || own === undefined ? id : own;
    });
  }

  #nameOf(id: string): string {
    const name = this.#ids.get(id) ?? `ID${this.#ids.size + 1}`;
    this.#ids.set(id, name);
    return name;
  }
}

const time = /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?/g;
const relative = /(?:in (?:\d+[dhms] ?)+|(?:\d+[dhms] ?)+ago|now)(?= \(TIME\))/g;

/** In this order: what is longer comes first. */
const volatile: readonly (readonly [RegExp, string])[] = [
  [time, 'TIME'],
  [/\b\d{8}T\d{6}\.\d+Z/g, 'TIME'],
  [relative, 'WHEN'],
  [/\b1[5-9]\d{8}\b/g, 'SECONDS'],
  [/\b(?:[0-9a-f]{4} ){15}[0-9a-f]{4}\b/g, 'FINGERPRINT'],
  [/\b[0-9a-f]{32,}\b/g, 'HEX'],
  [/\bSHA256:[A-Za-z0-9+/]{43}/g, 'SHA256:BASE64'],
  [/\bAAAA[A-Za-z0-9+/]{30,}={0,2}/g, 'BASE64'],
  [/[A-Za-z0-9+/]{43}=/g, 'BASE64'],
  // Signatures, keys and tokens, with the dots of a JWS; words are not that long.
  [/(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9_-]{20,})*/g, 'BASE64'],
  [/\bpid +\d+/g, 'pid N'],
  [/\bserial [0-9a-f]{16}\b/g, 'serial N'],
];
