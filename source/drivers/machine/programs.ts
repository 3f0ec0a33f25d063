export {environment, findProgram, lastLine, type RunOptions, type RunResult, run} from '../../platform/programs.ts';
