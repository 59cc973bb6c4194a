/** What ssh-keygen(1) recommends for files; `git` is git's. */
export const defaultNamespace = 'file';
