import { nss } from './devices.ts';
import { deviceSuite } from './suite.ts';

deviceSuite(nss);
