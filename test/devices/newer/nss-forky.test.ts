import { nssForky } from '../devices.ts';
import { deviceSuite } from '../suite.ts';

deviceSuite(nssForky);
