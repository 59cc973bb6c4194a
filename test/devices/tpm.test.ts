import { tpm } from './devices.ts';
import { deviceSuite } from './suite.ts';

deviceSuite(tpm);
