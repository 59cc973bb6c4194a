import { bareTpm } from './devices.ts';
import { deviceSuite } from './suite.ts';

deviceSuite(bareTpm);
