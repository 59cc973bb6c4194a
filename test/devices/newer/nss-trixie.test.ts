import { nssTrixie } from '../devices.ts';
import { deviceSuite } from '../suite.ts';

deviceSuite(nssTrixie);
