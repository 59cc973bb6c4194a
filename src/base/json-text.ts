/** Under this an object has its own JSON text. */
const ownText: unique symbol = Symbol('JSON text');

/** The same object, which is written once: for what is large, never changes, and is answered again and again. */
export function writtenOnce<T extends object>(value: T): T {
  Object.defineProperty(value, ownText, { value: JSON.stringify(value) });
  return value;
}

/** As `JSON.stringify` writes it. */
export function jsonText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return (value as { readonly [ownText]?: string })[ownText] ?? JSON.stringify(value);
}
