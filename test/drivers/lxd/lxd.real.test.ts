import {ownLxd} from '../../support/lxd.ts';
import {featuresSuite} from './features.ts';

featuresSuite('LXD', await ownLxd());
