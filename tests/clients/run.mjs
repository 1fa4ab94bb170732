// Runs the checks in JavaScript: node run.mjs URL MODEL [--key KEY] [--only WORDS]
import { runAll } from "./frame.mjs";
import "./openai.mjs";
import "./ollama.mjs";
import "./anthropic.mjs";

await runAll();
