import {ownIncus} from '../../support/incus.ts';
import {featuresSuite} from './features.ts';

featuresSuite('Incus', await ownIncus());
