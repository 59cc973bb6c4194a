#!/usr/bin/env node
import { main } from '../cli/main.ts';
import { describeFailure, errnoName } from '../base/errors.ts';
import { keepCompiledCode } from './compile-cache.ts';

keepCompiledCode();

// Whoever reads our output may stop reading (`agentctl keys list | head -1`): that is no failure. Anything
// else, a full disk above all, is one.
process.stdout.on('error', (error) => {
  if (errnoName(error) === 'EPIPE') return;
  process.stderr.write(`agentctl: cannot write to stdout: ${describeFailure(error)}\n`);
  process.exitCode = 1;
});
process.stderr.on('error', () => {
  process.exitCode ??= 1; // nowhere left to say it
});

// Getters: a command that reads nothing opens no stdin.
const exitCode = await main(process.argv.slice(2), {
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  env: process.env,
  now: Date.now,
});
// Not process.exit: what was written to a pipe has to reach it first.
process.exitCode ??= exitCode;
