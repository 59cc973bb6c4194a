import { yubihsmForky } from '../devices.ts';
import { deviceSuite } from '../suite.ts';

deviceSuite(yubihsmForky);
