import process from 'node:process';
import type {Reporter, TestModule} from 'vitest/node';

/**
 * Ends the output with why tests were skipped and one plain line, `N passed, N failed, N skipped`, which a program can
 * read. The checks before the tests (types, lint) are counted in by `scripts/test.sh`.
 */
export default class SummaryReporter implements Reporter {
	onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
		const given = (name: string) => Number(process.env[name] ?? 0);
		const count = {passed: given('DROVER_CHECKS_PASSED'), failed: given('DROVER_CHECKS_FAILED'), skipped: 0};
		const skipped: string[] = [];
		for (const module of modules) {
			// A file that cannot be loaded has no tests, and would otherwise count as nothing.
			if (module.errors().length > 0) count.failed++;
			for (const suite of module.children.allSuites()) if (suite.errors().length > 0) count.failed++;
			for (const test of module.children.allTests()) {
				const result = test.result();
				if (result.state === 'passed') count.passed++;
				else if (result.state === 'failed') count.failed++;
				else {
					count.skipped++;
					const why = 'note' in result && result.note ? `: ${result.note}` : '';
					skipped.push(`  ${test.fullName}${why}`);
				}
			}
		}
		count.failed += errors.length;
		// After the default reporter's own summary, which is written at the same event.
		process.on('exit', () => {
			if (skipped.length > 0) process.stdout.write(`\nSkipped:\n${skipped.join('\n')}\n`);
			process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
		});
	}
}
