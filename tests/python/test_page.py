"""The pages that runs write, opened in headless Chromium: no console errors, curves there, tooltip and keyboard answer.

usage: test_page.py BUILD"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from counting import main

runner = os.path.abspath(sys.argv[1]) + "/bin/lopt-run"
source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Looks at the first chart as a person does, and leaves what it saw in the title.
PROBE = """<script>
const seen = {width: innerWidth, scroll: document.documentElement.scrollWidth};
setTimeout(() => {
  const plots = [...document.querySelectorAll(".plot")], plot = plots[0];
  seen.plots = plots.length;
  seen.curves = document.querySelectorAll("path.curve").length;
  const begin = performance.now();
  plot.focus();
  const press = (key) => plot.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
  press("ArrowRight"); press("ArrowRight");
  seen.spoken = plot.parentElement.querySelector("[aria-live]").textContent;
  seen.tip = plot.querySelector(".tip")?.textContent ?? "";
  const ticks = () => [...plot.querySelectorAll("text")].map((t) => t.textContent).join(" ");
  const before = ticks();
  press("+");
  seen.zoomed = ticks() !== before;
  press("0");
  seen.back = ticks() === before;
  const box = plot.getBoundingClientRect();
  const over = {clientX: box.left + box.width / 2, clientY: box.top + 50, bubbles: true};
  plot.dispatchEvent(new PointerEvent("pointermove", over));
  seen.hover = plot.querySelector(".tip")?.textContent ?? "";
  const key = plot.parentElement.querySelector("button.key"), curves = plot.querySelectorAll("path.curve").length;
  key.click();
  seen.switched = plot.querySelectorAll("path.curve").length === curves - 1;
  key.click();
  seen.milliseconds = performance.now() - begin;
  const map = document.querySelector(".map canvas");
  if (map) {
    map.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true, cancelable: true}));
    seen.map = map.parentElement.querySelector("[aria-live]").textContent;
  }
  seen.maps = document.querySelectorAll(".map canvas").length;
  seen.images = document.querySelectorAll(".images canvas").length;
  seen.ground = getComputedStyle(document.body).backgroundColor;
  document.title = "SEEN" + JSON.stringify(seen);
}, 300);
</script></body>"""


def run(*arguments, code=0, **environment):
    done = subprocess.run(
        [runner, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        env=dict(os.environ, **environment),
    )
    if done.returncode != code:
        raise AssertionError(f"{' '.join(arguments)}: code {done.returncode}\n{done.stdout}")
    return done.stdout


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lopt-page-")
        cls.meta, cls.other, cls.inner, cls.evaluation = (
            f"{cls.folder}/{name}" for name in "meta other inner evaluation".split()
        )
        spec = f"{source}/configs/quickstart.yaml"
        short = ["steps=70", "apply={steps: 70, seeds: [100, 101]}", "compare=[adam]", "-q"]
        run("train", spec, *short, "--out", cls.meta)
        run("train", spec, *short, "estimator.std=0.03", "--out", cls.other)
        run("train", f"{source}/configs/tutorial/adam.yaml", "steps=80", "--out", cls.inner, "-q")
        with open(f"{cls.folder}/evaluation.yaml", "w") as file:
            file.write(
                "tasks: [mlp_classifier]\noptimizers: {adam: adam, sgd: {plugin: sgd, learning_rate: 0.1}}\nsteps: "
                "[20]\nseeds: 2\n"
            )
        run("evaluate", f"{cls.folder}/evaluation.yaml", "--out", cls.evaluation, "-q")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def page(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def seen(self, path, *flags, width=1000):
        """What the probe saw on a page."""
        probed = f"{self.folder}/probed.html"
        with open(probed, "w", encoding="utf-8") as file:
            file.write(self.page(path).replace("</body>", PROBE))
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={self.folder}/browser",
                "--enable-logging=stderr",
                "--virtual-time-budget=4000",
                f"--window-size={width},900",
                *flags,
                "--dump-dom",
                "file://" + probed,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        self.assertEqual([line for line in done.stderr.splitlines() if "CONSOLE" in line], [])
        title = re.search(r"<title>SEEN(.*?)</title>", done.stdout)
        self.assertTrue(title, "the page's script did not come to its end")
        return json.loads(title.group(1).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))

    def needs_browser(self):
        if not browser:
            self.skipTest("there is no Chromium to open the pages with")

    def test_loads_nothing_and_is_small(self):
        for run_folder in (self.meta, self.inner, self.evaluation):
            text = self.page(f"{run_folder}/report.html")
            self.assertLess(len(text.encode()), 2_000_000)
            self.assertIsNone(re.search(r'(src|href)="(?!data:)', text))
            self.assertNotRegex(text, r"@import|url\(|fetch\(|XMLHttpRequest")

    def test_says_the_verdict_first(self):
        text = self.page(f"{self.meta}/report.html")
        verdict = json.loads(self.page(f"{self.meta}/summary.json"))["verdict"][0]
        self.assertIn("that of adam", verdict)
        self.assertLess(text.index(verdict), text.index("<figure"))
        for word in ("θ before meta-training", "θ half-way", "sha256", "lopt-run train"):
            self.assertIn(word, text)

    def test_opens(self):
        self.needs_browser()
        meta = self.seen(f"{self.meta}/report.html")
        self.assertGreaterEqual(meta["plots"], 4)
        self.assertGreaterEqual(meta["curves"], 6)
        self.assertEqual(meta["maps"], 6)
        self.assertEqual(meta["images"], 16)
        for part in ("tip", "spoken", "hover"):
            self.assertRegex(meta[part], r"meta-step \d+.*meta-loss: \d", part)
        for part in ("zoomed", "back", "switched"):
            self.assertTrue(meta[part], part)
        self.assertRegex(meta["map"], r"g .* m .*: ")
        self.assertGreaterEqual(self.seen(f"{self.inner}/report.html")["curves"], 1)
        self.assertGreaterEqual(self.seen(f"{self.evaluation}/report.html")["curves"], 2)

    def test_dark_and_narrow(self):
        self.needs_browser()
        light = self.seen(f"{self.meta}/report.html", width=500)
        dark = self.seen(f"{self.meta}/report.html", "--blink-settings=preferredColorScheme=0", width=500)
        self.assertEqual(light["ground"], "rgb(255, 255, 255)")
        self.assertNotEqual(dark["ground"], light["ground"])
        self.assertLessEqual(light["scroll"], light["width"])

    def test_several_runs(self):
        out = f"{self.folder}/both.html"
        run("report", self.meta, self.other, self.inner, "--out", out)
        text = self.page(out)
        self.assertLess(text.index("What differs"), text.index("<figure"))
        run("report", self.meta, self.other, "--out", out)
        self.assertRegex(self.page(out), r"estimator\.std</td><td[^>]*>0\.01</td><td[^>]*>0\.03")
        if browser:
            self.assertEqual(self.seen(out)["hover"].count("meta:"), 1)

    def test_a_hundred_thousand_steps(self):
        long = f"{self.folder}/long"
        shutil.copytree(self.meta, long)
        with open(f"{long}/metrics.jsonl", "w") as file:
            for step in range(100_000):
                file.write(
                    json.dumps(
                        {
                            "step": step,
                            "meta_loss": 2 - step / 1e5 + (step * 7919 % 1000) / 2000,
                            "gradient_norm": 1 + step % 13,
                            "seconds": 0.01,
                            "skipped": False,
                            "inner_diverged": 0,
                            "member_losses": {str(step % 40): 1.0},
                        }
                    )
                    + "\n"
                )
        run("report", long)
        self.assertLess(os.path.getsize(f"{long}/report.html"), 2_000_000)
        self.needs_browser()
        self.assertLess(self.seen(f"{long}/report.html")["milliseconds"], 1500)  # a dozen actions, on slow cores

    def test_renewed_while_it_runs(self):
        process = subprocess.Popen(
            [
                runner,
                "train",
                f"{source}/configs/quickstart.yaml",
                "steps=100000",
                "--out",
                f"{self.folder}/going",
                "-q",
            ]
        )
        try:
            import time

            for _ in range(300):
                time.sleep(0.1)
                if os.path.exists(f"{self.folder}/going/report.html"):
                    break
            self.assertIn("Meta-training goes on", self.page(f"{self.folder}/going/report.html"))
        finally:
            process.terminate()
            process.wait()
        self.assertIn("Stopped before its end", self.page(f"{self.folder}/going/report.html"))


class BesideEachOther(unittest.TestCase):
    def test_diff_and_list(self):
        folder = tempfile.mkdtemp(prefix="lopt-diff-")
        try:
            spec = f"{source}/configs/tutorial/sgd.yaml"
            run("train", spec, "steps=3", "--out", folder + "/a", "-q")
            run("train", spec, "steps=3", "optimizer.learning_rate=0.5", "--out", folder + "/b", "-q")
            text = run("diff", folder + "/a", folder + "/b")
            self.assertRegex(text, r"optimizer\.learning_rate +\S+ +0\.5")
            self.assertIn("results", text)
            run("train", spec, "steps=3", "--out", folder + "/c", "-q")
            self.assertIn("Nothing differs", run("diff", folder + "/a", folder + "/c"))
            run("train", spec, "steps=3", "name=" + "θ" * 40, "--out", folder + "/d", "-q")
            self.assertRegex(run("diff", folder + "/a", folder + "/d"), "θ{30,33}…")
            shutil.rmtree(folder + "/d")
            listed = run("list", "runs", folder)
            self.assertEqual([line.split()[0] for line in listed.splitlines()], ["a", "b", "c"])
            self.assertIn("training loss", listed)
            self.assertIn("no folder of a run", run("diff", folder, folder + "/a", code=2))
            self.assertIn("no folder of a run", run("report", folder, code=2))
            self.assertIn("no such folder", run("list", "runs", folder + "/none", code=2))
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
