import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Folders of pure rules: time, randomness, files and sockets are handed in (World). */
const pure = [
  'src/{access,algorithms,api,cluster,formats,keyring,request}/**/*.ts',
  'src/audit/{audit,entry,operation-text,refusal-folding,schedule-journal}.ts',
  'src/audit/chain/**/*.ts',
  'src/server/{json-rpc,ssh-agent}/**/*.ts',
  'src/base/{base64,duration,errors,json-members,line-frames,rfc3339,stream-bytes,turns}.ts',
];
const worldly = [
  'fs',
  'fs/promises',
  'net',
  'child_process',
  'os',
  'process',
  'timers',
  'timers/promises',
];

export default tseslint.config(
  { ignores: ['dist/', '.dist-*/', 'coverage/', 'node_modules/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        performance: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setImmediate: 'readonly',
        URL: 'readonly',
      },
    },
  },
  {
    files: pure,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: worldly.flatMap((name) => [
            { name, message: 'Pure rules: the world comes in through World.' },
            { name: `node:${name}`, message: 'Pure rules: the world comes in through World.' },
          ]),
          patterns: [
            {
              group: ['node:crypto'],
              importNames: ['randomBytes', 'randomInt', 'randomUUID'],
              message: 'Randomness comes in through World.',
            },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'setImmediate', 'process'],
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: 'The clock comes in through World.',
        },
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'The clock comes in through World.',
        },
        {
          selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
          message: 'Randomness comes in through World.',
        },
      ],
    },
  },
  {
    // One folder alone knows the vendors' bindings: it moves into a process of its own.
    files: ['src/**/*.ts'],
    ignores: ['src/vault/pkcs11/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: ['pkcs11js', 'graphene-pk11'].map((name) => ({
            name,
            message: 'PKCS#11 bindings stay inside src/vault/pkcs11/.',
          })),
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/bin/**'],
    rules: { 'no-restricted-properties': ['error', { object: 'process', property: 'exit' }] },
  },
);
