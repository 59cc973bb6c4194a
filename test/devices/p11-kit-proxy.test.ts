import { p11Kit } from './devices.ts';
import { deviceSuite } from './suite.ts';

deviceSuite(p11Kit);
