/** What was found out of texts, each once: for what takes long to find out and is asked again and again. */
export class Remembered<T> {
  readonly #find: (text: string) => T;
  readonly #most: number;
  readonly #found = new Map<string, T>();

  /** `most`: so many texts are kept; with one more, all are forgotten. */
  constructor(find: (text: string) => T, most: number) {
    this.#find = find;
    this.#most = most;
  }

  of(text: string): T {
    const known = this.#found.get(text);
    if (known !== undefined) return known;
    const found = this.#find(text);
    if (this.#found.size >= this.#most) this.#found.clear();
    this.#found.set(text, found);
    return found;
  }
}
