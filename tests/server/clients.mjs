// Three clients of npm as they are: each with a text, a list, an error, a wrong key.
import { Translate } from "translate";
import * as deepl from "deepl-node";
import OpenAI, { toFile } from "openai";
import { readFileSync } from "node:fs";

const [url, key, recording] = process.argv.slice(2);
const said = {};
const refused = async (call) => {
  try {
    await call();
    return "answered";
  } catch (error) {
    return String(error.status ?? error.constructor.name);
  }
};

const libre = (apiKey) =>
  new Translate({ engine: "libre", url: `${url}/translate`, key: apiKey, from: "en", to: "de" });
said.translate = [
  await libre(key)("abc"),
  ...(await Promise.all(["ab", "ca"].map((text) => libre(key)(text)))),
];
said.translateError = await refused(() => libre(key)("a ".repeat(60000)));
said.translateWrongKey = await refused(() => libre("wrong")("abcd"));

const own = new deepl.Translator(key, { serverUrl: url, maxRetries: 0 });
said.deepl = [
  (await own.translateText("abc", null, "de")).text,
  ...(await own.translateText(["ab", "ca"], null, "de")).map((one) => one.text),
];
said.deeplError = await refused(() => own.translateText("a ".repeat(60000), null, "de"));
const wrong = new deepl.Translator("wrong", { serverUrl: url, maxRetries: 0 });
said.deeplWrongKey = await refused(() => wrong.translateText("abc", null, "de"));

const speech = (apiKey) => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
const heard = async (apiKey, model) =>
  (
    await speech(apiKey).audio.transcriptions.create({
      model,
      file: await toFile(readFileSync(recording), "abc.wav"),
    })
  ).text;
said.openai = await heard(key, "hear");
said.openaiError = await refused(() => heard(key, "whisper-1"));
said.openaiWrongKey = await refused(() => heard("wrong", "hear"));
console.log(JSON.stringify(said));
