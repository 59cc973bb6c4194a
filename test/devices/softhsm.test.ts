import { softhsm } from './devices.ts';
import { deviceSuite } from './suite.ts';

deviceSuite(softhsm);
