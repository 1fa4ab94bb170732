// The pictures in docs/.
import { join } from "node:path";
import { flags, openTab, pageCheck } from "./tab.mjs";

pageCheck("screenshots", async context => {
  const page = await openTab(context);
  await page.button("Settings").click();
  await page.getByLabel("Temperature").fill("0");
  await page.button("Save").click();
  for (const text of ["Say hello in one sentence.", "What is quantization?", "What is 3 + 4?"]) {
    await page.send(text);
    await page.idle();
  }
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: join(flags.screenshots, "page.png") });
  await page.setViewportSize({ width: 360, height: 640 });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: join(flags.screenshots, "page-phone.png") });
});
