import { yubihsm } from './devices.ts';
import { deviceSuite } from './suite.ts';

deviceSuite(yubihsm);
