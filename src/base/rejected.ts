/** A promise that is rejected with what was thrown, whatever that is. */
export function rejected(failure: unknown): Promise<never> {
  return new Promise(() => {
    throw failure;
  });
}
