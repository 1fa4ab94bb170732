// What the checks of the chat page stand on: named checks with a total, and Chromium.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const CHECK_LIMIT_MS = 60_000;
const checks = [];

/** Adds a check: an async function that throws what is wrong. */
export const check = (name, run) => checks.push({ name, run });

/** Runs the checks one after another, each in a fresh browser context; prints a line for each and the total. */
export async function runAll(browser, only) {
  let passed = 0, failed = 0;
  for (const { name, run } of checks) {
    if (only && !name.includes(only)) continue;
    const context = await browser.newContext({ viewport: { width: 1000, height: 640 }, acceptDownloads: true });
    context.setDefaultTimeout(10_000);
    let timer;
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("the check's time limit passed")), CHECK_LIMIT_MS);
    });
    try {
      await Promise.race([run(context), limit]);
      console.log(`ok      ${name}`);
      passed += 1;
    } catch (error) {
      console.log(`FAILED  ${name}: ${error.stack.slice(0, 3000)}`);
      failed += 1;
    }
    clearTimeout(timer);
    await context.close();
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0;
}

/** Starts Chromium with a profile of its own, which is removed when `use` ends. */
export async function withChromium(use) {
  const profile = await mkdtemp(join(tmpdir(), "page-tests-"));
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"];
  // Chromium's sandbox does not start for root.
  const args = process.getuid() === 0 ? ["--no-sandbox", ...quiet] : quiet;
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args, env: { ...process.env, TMPDIR: profile } });
  try {
    return await use(browser);
  } finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
  }
}
