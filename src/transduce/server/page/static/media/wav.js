/** Sound as a WAV file: what every server of this kind reads, whatever the browser has recorded. */

const READ = /\.(wav|flac|ogg|oga|opus|mp3|aiff?)$/i; // what it reads without us

/** The samples of any file that the browser plays. @param {Blob} file @returns {Promise<AudioBuffer>} */
export async function decoded(file) {
	const context = new OfflineAudioContext(1, 1, 16_000);
	return context.decodeAudioData(await file.arrayBuffer());
}

/**
 * The file itself, or as a WAV where the server might not read it.
 * @param {File} file
 * @param {AudioBuffer | null} sound
 */
export function readable(file, sound) {
	if (READ.test(file.name) || !sound) return file;
	return new File([wav(sound)], file.name.replace(/(\.\w+)?$/, ".wav"), { type: "audio/wav" });
}

/** One channel, 16 bits a sample. @param {AudioBuffer} sound */
function wav(sound) {
	const channels = Array.from({ length: sound.numberOfChannels }, (_, n) => sound.getChannelData(n));
	const bytes = new DataView(new ArrayBuffer(44 + 2 * sound.length));
	const text = (at, own) =>
		[...own].forEach((letter, n) => bytes.setUint8(at + n, letter.charCodeAt(0)));
	text(0, "RIFF");
	bytes.setUint32(4, 36 + 2 * sound.length, true);
	text(8, "WAVEfmt ");
	bytes.setUint32(16, 16, true);
	bytes.setUint16(20, 1, true);
	bytes.setUint16(22, 1, true);
	bytes.setUint32(24, sound.sampleRate, true);
	bytes.setUint32(28, 2 * sound.sampleRate, true);
	bytes.setUint16(32, 2, true);
	bytes.setUint16(34, 16, true);
	text(36, "data");
	bytes.setUint32(40, 2 * sound.length, true);
	for (let n = 0; n < sound.length; n++) {
		const mean = channels.reduce((sum, channel) => sum + channel[n], 0) / channels.length;
		bytes.setInt16(44 + 2 * n, Math.max(-1, Math.min(1, mean)) * 32767, true);
	}
	return bytes;
}
