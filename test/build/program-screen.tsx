import process from 'node:process';
import {Box, render, Text} from 'ink';

export async function draw() {
	const {unmount, waitUntilExit} = render(
		<Box borderStyle="round">
			<Text>│ drawn ✓ 日本 👩‍👩‍👧</Text>
		</Box>,
		{stdout: process.stdout, patchConsole: false},
	);
	unmount();
	await waitUntilExit();
}
