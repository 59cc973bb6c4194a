// Which folder of src/ may import which. Types count: an import that the compiler erases is still an arrow
// in the reader's head.

/** The floors, from the ground up. A folder imports from its own floor and from those below. */
const floors = [
  'base',
  'native',
  'api',
  'algorithms',
  'files',
  'formats',
  'vault',
  'keyring',
  'access',
  'audit',
  'cluster',
  'database',
  'config',
  'request',
  'server',
  'agent',
  'client',
  'cli',
  'bin',
];

/** Narrower than "all below": folder, and all that it may import beside itself. */
const narrower = {
  // Both are shared with programs that have no agent, so they bring nothing along.
  api: ['base'],
  client: ['base', 'native', 'api'],
  // What other programs write and read has nothing to do with files or the system.
  algorithms: ['base', 'api'],
  formats: ['base', 'api', 'algorithms'],
};

const anyOf = (folders) => `^src/(${folders.join('|')})/`;

const rules = floors.map((folder, at) => ({
  name: `floor-${folder}`,
  comment:
    `src/${folder} may import ${(narrower[folder] ?? floors.slice(0, at)).join(', ') || 'nothing of ours'}: ` +
    'arrows go down only (the floors stand in .dependency-cruiser.cjs).',
  severity: 'error',
  from: { path: anyOf([folder]) },
  to: { path: '^src/', pathNot: anyOf([folder, ...(narrower[folder] ?? floors.slice(0, at))]) },
}));

module.exports = {
  forbidden: [
    ...rules,
    {
      name: 'a-floor-of-its-own',
      comment: 'Every file of src/ lies in a folder that is one of the floors.',
      severity: 'error',
      from: { path: '^src/', pathNot: anyOf(floors) },
      to: {},
    },
    {
      name: 'client-is-for-programs',
      comment: 'The agent does not call itself over the socket.',
      severity: 'error',
      from: { path: anyOf(floors), pathNot: anyOf(['client', 'cli', 'bin']) },
      to: { path: anyOf(['client']) },
    },
    {
      name: 'no-circle-of-files',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-circle-of-folders',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
