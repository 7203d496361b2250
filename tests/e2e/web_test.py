"""The page without a server that scripts/web.sh makes, opened from a file in a browser: twenty drawings get the program's answers
and a Grad-CAM picture, something else a sentence, and nothing is asked for outside the page. Says its size and time a picture.

    web_test.py PROGRAM [--page FILE] [--screenshots FOLDER]
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import browser as tools

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "examples/weights/alexnet-small-cats-dogs.safetensors"

# Every reply, beside what is shown.
RECORD = """
window.replies = {}; const shown = show;
show = (card, pictures, reply) => { replies[card.querySelector('.name').textContent] = reply; shown(card, pictures, reply) };
"""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def make_page(scratch):
    if not shutil.which("em++"):
        tools.skip("emscripten is not installed")
    page = os.path.join(scratch, "page", "index.html")
    done = subprocess.run(["bash", ROOT / "scripts/web.sh", WEIGHTS, page, os.path.join(scratch, "parts")],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return page


def answers_of_program(program, photos):
    out = subprocess.run([program, "predict", "--weights", WEIGHTS, "--batch-size", "1", "--json", *photos],
                         capture_output=True, text=True, check=True)
    return {os.path.basename(line["path"]): line for line in map(json.loads, out.stdout.splitlines())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--page")
    parser.add_argument("--screenshots")
    o = parser.parse_args()
    from_selenium = tools.open_browser()
    with tempfile.TemporaryDirectory(prefix="minicnn_web_") as scratch:
        try:
            check_page(from_selenium, o, o.page or make_page(scratch), scratch)
        finally:
            tools.close_browser(from_selenium)


def check_page(browser, o, page, scratch):
    from selenium.webdriver.common.by import By
    drawings = os.path.join(scratch, "drawings")
    subprocess.run([o.program, "generate", "--out", drawings, "--images", "20", "--seed", "3"], check=True, capture_output=True)
    photos = [os.path.join(drawings, name) for name in sorted(os.listdir(drawings))]
    bad = os.path.join(scratch, "notes.jpg")
    pathlib.Path(bad).write_text("no picture")
    wanted = answers_of_program(o.program, photos)

    tools.requests_since_last(browser)
    browser.get("file://" + os.path.abspath(page))
    wait(lambda: "tells apart: cat, dog" in browser.find_element(By.CSS_SELECTOR, "p.note").text, "the network's note")
    browser.execute_script(RECORD)
    begin = time.time()
    browser.find_element(By.ID, "files").send_keys("\n".join([*photos, bad]))
    wait(lambda: browser.find_element(By.ID, "count").text == "21 of 21", "answers to all")
    elapsed = time.time() - begin
    replies = browser.execute_script("return replies")

    check("not a picture" in replies["notes.jpg"]["error"] or "JPEG" in replies["notes.jpg"]["error"], replies["notes.jpg"])
    worst = 0.0
    for name, answer in wanted.items():
        for which, probability in answer["probabilities"].items():
            worst = max(worst, abs(replies[name]["probabilities"][which] - probability))
        check(replies[name]["class"] == answer["class"], f"{name}: {replies[name]['class']}, the program says {answer['class']}")
        check(replies[name]["overlay"].startswith("data:image/jpeg;base64,"), name)
    check(worst <= 1e-4, f"probabilities differ from the program's by {worst}")
    outside = [url for url in tools.requests_since_last(browser) if not url.startswith(("file:", "blob:"))]
    check(outside == [], outside)
    check(tools.messages(browser) == [], tools.messages(browser))
    if o.screenshots:
        browser.save_screenshot(os.path.join(o.screenshots, "web.png"))
    print(f"{os.path.getsize(page) / 2**20:.1f} MiB; {1000 * elapsed / 21:.0f} ms a picture with Grad-CAM; "
          f"largest difference from the program {worst:.1e}")


def wait(condition, what, seconds=120):
    end = time.time() + seconds
    while not condition():
        check(time.time() < end, what)
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
