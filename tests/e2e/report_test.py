"""A short training run on drawings, and its report.html in a browser: curves, values on hover, light and dark, a phone's
width, nothing from outside, nothing that breaks.

    report_test.py PROGRAM [--screenshots FOLDER]
"""
import argparse
import csv
import html.parser
import os
import re
import shutil
import subprocess
import sys
import tempfile

import browser as tools

CLASSES = {"cat": "cat <b>&\"'x", "dog": "dog"}  # as folders: the page must escape them


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments[0]} ended with {done.returncode}:\n{done.stderr}")
    return done


def make_run(program, folder):
    drawings, data, out = (os.path.join(folder, name) for name in ("drawings", "data", "run"))
    run(program, "generate", "--out", drawings, "--images", 120)
    for kind, name in CLASSES.items():
        os.makedirs(os.path.join(data, name))
        for file in os.listdir(drawings):
            if file.startswith(kind):
                shutil.move(os.path.join(drawings, file), os.path.join(data, name, file))
    run(program, "train", "--data", data, "--out", out, "--model", "alexnet-small", "--image-size", 64, "--epochs", 3,
        "--batch-size", 16, "--val-fraction", 0.3, "--seed", 1)
    return out


class Nesting(html.parser.HTMLParser):
    """Complains about tags that are not closed in order."""
    VOID = {"meta", "link", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.titles = [], [], 0

    def handle_starttag(self, tag, attributes):
        self.titles += tag == "title"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def check_file(out):
    path = os.path.join(out, "report.html")
    check(os.path.getsize(path) < 1_500_000, f"report.html has {os.path.getsize(path)} bytes")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    nesting = Nesting()
    nesting.feed(text)
    check(not nesting.faults and not nesting.open, f"tags: {nesting.faults} {nesting.open}")
    check(nesting.titles > 20, "values of points stand in the page itself, readable without script")
    check("<b>&" not in text, "class names are escaped")
    check(not re.search(r"(src|href)=\"(?!data:)", text), "sources are part of the page")
    for name in ("curves.svg", "curves.png"):
        check(os.path.getsize(os.path.join(out, name)) > 2000, name)
    return path


def check_curves(browser, out):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    with open(os.path.join(out, "results.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    headings = [h.text for h in browser.find_elements(By.TAG_NAME, "h2")]
    for title in ("Loss", "Accuracy", "Validation log loss", "Learning rate", "Images per second", "Confusion matrix (validation)",
                  "Classes (validation)", "ROC (validation)", "Calibration (validation)", "First-layer filters",
                  "Training images as the network sees them", "Epochs", "Settings", "Data", "Machine", "Repeat this run"):
        check(title in headings, f"no part \"{title}\" among {headings}")
    check(any("mistakes" in h for h in headings), "no gallery of mistakes")
    charts = browser.find_elements(By.CSS_SELECTOR, "svg.chart")
    check(len(charts) >= 7, f"{len(charts)} charts")
    loss = charts[0]
    check(len(loss.find_elements(By.TAG_NAME, "polyline")) == 2, "training and validation loss")
    browser.execute_script("arguments[0].scrollIntoView({block:'center'})", loss)
    tip = browser.find_element(By.ID, "tip")
    check(not tip.is_displayed(), "no values before the pointer is there")
    ActionChains(browser).move_to_element(loss).perform()  # the middle: epoch 2 of 3
    check(tip.is_displayed(), "values on hover")
    for name, column in (("train", "train_loss"), ("validation", "val_loss")):
        found = re.search(name + r", epoch 2: ([0-9.]+)", tip.text)
        check(found, f"\"{tip.text}\" has no value of {name}")
        check(abs(float(found[1]) - float(rows[1][column])) < 0.006, f"{tip.text}: wanted {rows[1][column]}")
    loss.send_keys(Keys.ARROW_RIGHT)
    check("epoch 3" in tip.text, f"arrow keys: {tip.text}")
    loss.send_keys(Keys.ESCAPE)
    check(not tip.is_displayed(), "Escape hides the values")
    pictures = browser.execute_script("return [...document.images].map(i => [i.naturalWidth, i.alt])")
    check(len(pictures) >= 2 * 8 + 1, f"{len(pictures)} pictures")
    check(all(width > 0 for width, _ in pictures), f"pictures that cannot be decoded: {pictures}")
    cell = browser.find_element(By.CSS_SELECTOR, "#confusion td")
    check(cell.text in CLASSES.values(), f"class name is \"{cell.text}\"")


def check_colours(browser):
    from selenium.webdriver.common.by import By

    def background():
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    def luminance():
        return sum(map(int, re.findall(r"\d+", background())[:3])) / 3

    check(luminance() > 200, "light where the system is light")
    button = browser.find_element(By.ID, "theme")
    button.click()
    check(luminance() < 60, "dark after a click")
    button.click()
    check(luminance() > 200, "light again")
    browser.execute_script("localStorage.clear(); delete document.documentElement.dataset.theme")
    tools.set_screen(browser, 1280, 900, dark=True)
    check(luminance() < 60, "dark where the system is dark")
    tools.set_screen(browser, 1280, 900)


def check_phone(browser):
    for width in (320, 390):
        tools.set_screen(browser, width, 800, phone=True)
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        check(wide <= width, f"the page is {wide} pixels wide on a screen of {width}")


def take_screenshots(browser, folder):
    os.makedirs(folder, exist_ok=True)
    for name, width, phone, dark in (("report", 1280, False, False), ("report-dark", 1280, False, True), ("report-phone", 390, True, False),
                                     ("report-phone-dark", 390, True, True)):
        tools.set_screen(browser, width, 800, phone, dark)
        tools.set_screen(browser, width, tools.full_height(browser), phone, dark)
        browser.save_screenshot(os.path.join(folder, name + ".png"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--screenshots", metavar="FOLDER", help="writes pictures of the page there")
    parser.add_argument("--run", help="looks at this run instead of making one (screenshots only)")
    options = parser.parse_args()
    browser = tools.open_browser()
    folder = tempfile.mkdtemp(prefix="minicnn_report_")
    try:
        if options.run:
            browser.get("file://" + os.path.abspath(options.run) + "/report.html")
            take_screenshots(browser, options.screenshots)
            return
        out = make_run(options.program, folder)
        path = check_file(out)
        tools.set_screen(browser, 1280, 900)
        tools.requests_since_last(browser)
        browser.get("file://" + path)
        check_curves(browser, out)
        check_colours(browser)
        check_phone(browser)
        outside = [url for url in tools.requests_since_last(browser) if url != "file://" + path]
        check(not outside, f"requests from outside: {outside}")
        check(not (said := tools.messages(browser)), f"messages: {said}")
        if options.screenshots:
            take_screenshots(browser, options.screenshots)
        print("report.html: all checks passed")
    finally:
        tools.close_browser(browser)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
