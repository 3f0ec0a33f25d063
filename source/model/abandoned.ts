import {DroverError} from './errors.ts';

/** The reason of an abort that means: this daemon ends, the work is taken up by the next. */
export const abandoned = new DroverError('operation.cancelled', 'drover is ending; the next start takes this up again');
