import koffi from 'koffi';

/**
 * Opens a shared library so that it finds its own libraries before those of this process (dlopen(3), RTLD_NOW and
 * RTLD_DEEPBIND), and all of its symbols now. Node gives out the symbols of the OpenSSL that is built into it, and a
 * library that is opened otherwise binds to them where the names are the same. How it was bound stays: whoever opens
 * the same path again gets this one. It stays open for as long as the process runs.
 *
 * Throws an Error with the dynamic linker's words.
 */
export function openDeep(path: string): void {
  koffi.load(path, { lazy: false, deep: true });
}
