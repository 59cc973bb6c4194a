import { openCryptoki } from '../devices.ts';
import { deviceSuite } from '../suite.ts';

deviceSuite(openCryptoki);
