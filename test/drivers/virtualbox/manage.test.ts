import {describe, expect, test} from 'vitest';
import {ManageError, manageError, problemIn} from '../../../source/drivers/virtualbox/manage.ts';
import {
	findManage,
	isBelow,
	manageEnvironment,
	programPlaces,
	type VirtualBoxHost,
} from '../../../source/drivers/virtualbox/platform.ts';
import {startError} from '../../../source/drivers/virtualbox/start-error.ts';
import {DroverError} from '../../../source/model/errors.ts';
import {crlf, recording, recordings} from './recordings.ts';

describe('what went wrong', () => {
	const problem = (number: string) => {
		const {code, stderr} = recording(number);
		return problemIn(code, stderr)?.problem;
	};

	test('by its code, whatever its words', () => {
		expect(problem('026')).toBe('missing');
		expect(problem('106')).toBe('missing');
		expect(problem('111')).toBe('state');
		expect(problem('041')).toBe('file');
		expect(problem('043')).toBe('in-use');
		expect(problem('161')).toBe('in-use');
		expect(problem('200')).toBe('locked');
		expect(problem('032')).toBe('refused');
		expect(problem('035')).toBe('refused');
		expect(problem('102')).toBe('state');
		expect(problem('100')).toBe('refused');
	});

	test('though the exit code says that all is well', () => {
		expect(recording('105').code).toBe(0);
		expect(problem('105')).toBe('state');
		expect(problemIn(0, 'VBoxManage: error: Invalid NIC number 9\n')?.message).toBe('Invalid NIC number 9');
		expect(problemIn(0, 'VBoxManage: warning: Interface "x0" doesn\'t seem to exist\n')?.problem).toBe('refused');
	});

	test('a warning, or progress, is nothing', () => {
		expect(problem('040')).toBeUndefined();
		expect(problem('150')).toBeUndefined();
		expect(problem('115')).toBeUndefined();
		expect(problemIn(0, 'Warning: --audio is deprecated and will be removed soon.\n')).toBeUndefined();
	});

	test('is told in one line, without codes, as Windows writes it too', () => {
		for (const {code, stderr, name} of recordings) {
			const found = problemIn(code, stderr);
			const windows = problemIn(code, crlf(stderr).replaceAll('VBoxManage:', 'VBoxManage.exe:'));
			expect([name, windows?.problem, windows?.message]).toEqual([name, found?.problem, found?.message]);
			if (!found) continue;
			expect(found.message).not.toMatch(/0x[\da-f]{8}\), component|Context:|\n/);
			expect(found.message.length).toBeGreaterThan(5);
		}
	});

	test('becomes an error for a person', () => {
		const {code, stderr} = recording('026');
		expect(manageError(problemIn(code, stderr), 'x')).toMatchObject({code: 'instance.broken'});
		expect(manageError(new ManageError('silent', 'x'), 'starting')).toMatchObject({code: 'driver.unresponsive'});
		expect(manageError(new ManageError('file', 'x', 'VERR_DISK_FULL'), 'starting')).toMatchObject({
			code: 'host.disk-full',
		});
		const own = new DroverError('guest.failed', 'x');
		expect(manageError(own, 'x')).toBe(own);
	});

	test('a start that fails tells why where it is known', () => {
		const words = (text: string) => (startError(new ManageError('refused', 'it failed', text)) as DroverError).message;
		expect(words('VT-x is being used by another hypervisor (VERR_VMX_IN_VMX_ROOT_MODE)')).toMatch(/another hypervisor/);
		expect(words(recording('100').stderr)).toMatch(/kernel driver/);
		expect(words('VERR_SOMETHING')).toMatch(/did not start the machine: it failed/);
	});
});

describe('where VBoxManage is', () => {
	const mac: VirtualBoxHost = {
		platform: 'darwin',
		architecture: 'x64',
		environment: {PATH: '/usr/bin:relative:/bin', HOME: '/Users/kim', AWS_SECRET: 'x', VBOX_USER_HOME: '/Users/kim/vb'},
	};
	const windows: VirtualBoxHost = {
		platform: 'win32',
		architecture: 'x64',
		environment: {
			Path: 'C:\\Windows\\system32;D:\\My Tools',
			vbox_msi_install_path: 'D:\\Virtual Box\\',
			ProgramFiles: 'C:\\Program Files',
			SystemRoot: 'C:\\Windows',
			USERPROFILE: 'C:\\Users\\Kim Li',
			TOKEN: 'x',
		},
	};

	test('on macOS in PATH, then where its installer puts a link, then in the application', () => {
		expect(programPlaces(mac)).toEqual([
			'/usr/bin/VBoxManage',
			'/bin/VBoxManage',
			'/usr/local/bin/VBoxManage',
			'/opt/homebrew/bin/VBoxManage',
			'/Applications/VirtualBox.app/Contents/MacOS/VBoxManage',
		]);
	});

	test('on Windows where its installer says, then in PATH, then among the programs', () => {
		expect(programPlaces(windows)).toEqual([
			'D:\\Virtual Box\\VBoxManage.exe',
			'C:\\Windows\\system32\\VBoxManage.exe',
			'D:\\My Tools\\VBoxManage.exe',
			'C:\\Program Files\\Oracle\\VirtualBox\\VBoxManage.exe',
		]);
	});

	test('the first that can be run', async () => {
		const at = 'C:\\Program Files\\Oracle\\VirtualBox\\VBoxManage.exe';
		expect(await findManage(windows, async file => file === at)).toBe(at);
		expect(await findManage(mac, async () => false)).toBeUndefined();
	});

	test('it is given what it needs and no secrets', () => {
		expect(manageEnvironment(mac)).toEqual({
			PATH: '/usr/bin:relative:/bin',
			HOME: '/Users/kim',
			VBOX_USER_HOME: '/Users/kim/vb',
			LC_ALL: 'C.UTF-8',
		});
		const given = manageEnvironment(windows);
		expect(given).toMatchObject({USERPROFILE: 'C:\\Users\\Kim Li', SystemRoot: 'C:\\Windows'});
		expect(given).not.toHaveProperty('TOKEN');
		expect(given).not.toHaveProperty('LC_ALL');
	});

	test('a machine’s file is in a directory by the platform’s rules', () => {
		const directory = 'C:\\Users\\Kim Li\\drover\\data';
		expect(isBelow('c:\\\\Users\\\\Kim Li\\\\drover\\\\data\\\\x\\\\x.vbox', directory, 'win32')).toBe(true);
		expect(isBelow('C:\\Users\\Kim Li\\drover\\data2\\x.vbox', directory, 'win32')).toBe(false);
		expect(isBelow('/Users/kim/Data/../data/x.vbox', '/users/kim/data', 'darwin')).toBe(true);
		expect(isBelow('/home/Kim/data/x.vbox', '/home/kim/data', 'linux')).toBe(false);
	});
});
