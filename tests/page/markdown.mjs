// What a model writes: Markdown becomes elements, markup stays text, and nothing takes long.
import assert from "node:assert/strict";
import { streaming } from "./proxy.mjs";
import { flags, openTab, pageCheck, proxy } from "./tab.mjs";

pageCheck("markup in questions and answers stays text", async context => {
  const attack = '<img src="http://evil.example/x" onerror="window.hit=1"><script>window.hit=1</script>' +
    '<a href="javascript:window.hit=1">a</a> [b](javascript:window.hit=1) [c](data:text/html,x) ' +
    '[d](//evil.example/y) ![e](http://evil.example/image.png) [f](https://good.example/a_(b)) ' +
    "<svg onload=window.hit=1>";
  const page = await openTab(context);
  proxy.script = streaming([attack, "\n\n```html\n", attack, "\n```\n\n| ", attack, " |\n|---|\n| x |\n"]);
  await page.send(attack);
  await page.idle();
  assert.equal(await page.questions.locator(".content").innerText(), attack);
  assert.equal(await page.locator("#messages").locator("img, script, svg, iframe, style").count(), 0);
  const links = await page.answers.locator(".content a").evaluateAll(all => all.map(a => [a.href, a.rel, a.target]));
  const safe = href => [href, "noopener noreferrer", "_blank"];
  const expected = [safe("http://evil.example/image.png"), safe("https://good.example/a_(b)")];
  assert.deepEqual(links.slice(0, 3), [safe("http://evil.example/x"), ...expected]);
  assert(links.every(([href]) => /^https?:/.test(href)));
  await page.reload();
  await page.answers.first().waitFor();
  assert.equal(await page.evaluate(() => window.hit), undefined);
});

pageCheck("Markdown", async context => {
  const text = ["# Title",
    "Some *em*, **strong**, ***both***, ~~gone~~, `a * b`, snake_case_name, 2 * 3 * 4 and \\*this\\*.", "",
    "1. one", "2. two", "   - inner", "     more", "3. three", "", "- a", "- b", "", "> quoted", "> - item", "",
    "---", "Here:", "| a | b |", "|:--|--:|", "| `x\\|y` | **2** |", "",
    "```rust", "fn main() {}", "// *not em*", "```",
    "", "https://a.example/b."].join("\n");
  proxy.script = streaming(text.match(/[^]{1,3}/g));
  const page = await openTab(context);
  await page.send("Show me.");
  await page.idle();
  const html = await page.answers.locator(".content").evaluate(node => {
    for (const button of node.querySelectorAll("button")) button.remove();
    return node.innerHTML.replace(/ (rel|target|tabindex|role|aria-label|class)="[^"]*"/g, "");
  });
  assert.equal(html, "<h4>Title</h4><p>Some <em>em</em>, <strong>strong</strong>, <strong><em>both</em></strong>, " +
    "<del>gone</del>, <code>a * b</code>, snake_case_name, 2 * 3 * 4 and *this*.</p>" +
    "<ol><li><p>one</p></li><li><p>two</p><ul><li><p>inner<br>more</p></li></ul></li><li><p>three</p></li></ol>" +
    "<ul><li><p>a</p></li><li><p>b</p></li></ul>" +
    "<blockquote><p>quoted</p><ul><li><p>item</p></li></ul></blockquote><hr><p>Here:</p>" +
    "<div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><code>x|y</code></td>" +
    "<td><strong>2</strong></td></tr></tbody></table></div>" +
    "<div><div><span>rust</span></div><pre><code>fn main() {}\n// *not em*</code></pre></div>" +
    '<p><a href="https://a.example/b">https://a.example/b</a>.</p>');
});

pageCheck("hostile Markdown takes little time", async context => {
  const page = await openTab(context);
  const patterns = ["*", "**", "_a", "`", "``a", "[", "![](", "[a](", "~~", ">", "> ", "- ", "  - ", "<", "http://",
    "|", "|-", "# ", "\\", "***a ", "*a**", "1. ", "\n", " \n", "```\n", "*a\n"];
  for (const pattern of patterns) {
    proxy.script = streaming([pattern.repeat(20_000)]);
    const start = Date.now();
    // By ids: names of ten thousand buttons take Playwright long.
    await page.locator("#new").click();
    await page.locator("#question").fill("Pattern");
    await page.locator("#question").press("Enter");
    await page.locator(".assistant:not([aria-busy])").waitFor();
    const took = Date.now() - start;
    if (flags.times) console.log(`${JSON.stringify(pattern)}: ${took} ms`);
    // What grows with the square of the text takes minutes.
    assert(took < 8000, `${JSON.stringify(pattern)} took ${took} ms`);
  }
});
