// The chat page in Chromium: node page.mjs URL KEYED_URL KEY [--only WORDS] [--times] [--screenshots FOLDER]
//
// URL is a server without a key, KEYED_URL one that asks for KEY; both have the demo model.
import { runAll, withChromium } from "./frame.mjs";
import { flags, proxy } from "./tab.mjs";
import "./answers.mjs";
import "./conversations.mjs";
import "./markdown.mjs";
import "./access.mjs";
if (flags.screenshots) await import("./screenshots.mjs");

const passed = await withChromium(browser => runAll(browser, flags.only));
proxy.stop();
process.exitCode = passed ? 0 : 1;
