"""Two short runs on drawings: their comparison, and the page of `serve`, in a browser. Photos are dropped and chosen; class,
probabilities and Grad-CAM appear; bad and large files get a sentence; a phone's width; dark; nothing from outside.

    serve_test.py PROGRAM [--screenshots FOLDER]
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

import browser as tools


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments[0]} ended with {done.returncode}:\n{done.stderr}")
    return done


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_for(condition, what, seconds=60):
    end = time.time() + seconds
    while not condition():
        check(time.time() < end, what)
        time.sleep(0.1)


def screenshot(browser, folder, name):
    if not folder:
        return
    path = os.path.join(folder, name + ".png")
    browser.save_screenshot(path)
    print("wrote", path)


def check_screens(browser, folder, name):
    """Wide and narrow, light and dark: nothing sticks out."""
    for width, phone in ((1280, False), (390, True)):
        for dark in (False, True):
            tools.set_screen(browser, width, 1000 if phone else 900, phone, dark)
            check(browser.execute_script("return document.documentElement.scrollWidth") <= width,
                  f"{name} is wider than {width}")
            dark_now = browser.execute_script("return getComputedStyle(document.body).backgroundColor") != "rgb(250, 250, 248)"
            check(dark_now == dark, f"{name}: dark is {dark_now}, wanted {dark}")
            screenshot(browser, folder, f"{name}{'-phone' if phone else ''}{'-dark' if dark else ''}")
    tools.set_screen(browser, 1280, 900)


def check_compare(browser, page, folder):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    browser.get("file://" + page)
    check(len(browser.find_elements(By.CSS_SELECTOR, "svg.chart")) == 4, "four charts")
    check("learning_rate" in browser.find_element(By.ID, "settings").text, "the setting that differs")
    check("McNemar" in browser.find_element(By.ID, "pairs").text, "the paired test")
    point = browser.find_elements(By.CSS_SELECTOR, "svg.chart circle")[0]
    ActionChains(browser).move_to_element(point).perform()
    tip = browser.find_element(By.ID, "tip")
    wait_for(lambda: "epoch 1" in tip.text, "a value on hover", 10)
    check_screens(browser, folder, "compare")


DROP = """
const [input, target] = arguments, transfer = new DataTransfer();
for (const file of input.files) transfer.items.add(file);
target.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: transfer}));
"""


ORDER = """
const card = document.createElement('div');
show(card, document.createElement('div'), {class: '7', probability: .6, probabilities: JSON.parse('{"7":0.6,"3":0.3,"1":0.1}')});
return [...card.querySelectorAll('.row>span:first-child')].map(e => e.textContent);
"""


def check_token(browser, program, weights, photo):
    """The page of a server that wants a token asks with the one of its address."""
    from selenium.webdriver.common.by import By
    server = subprocess.Popen([program, "serve", "--weights", weights, "--port", "0", "--token", "open-sesame"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        browser.get(server.stdout.readline().strip() + "?token=open-sesame")
        browser.find_element(By.ID, "files").send_keys(photo)
        wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "article.card .answer"), "an answer with a token")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


def check_serve(browser, address, drawings, folder, scratch):
    from selenium.webdriver.common.by import By
    tools.requests_since_last(browser)
    browser.get(address)

    def cards():
        return browser.find_elements(By.CSS_SELECTOR, "article.card:not([aria-busy])")

    # A18: JavaScript puts keys of an object that look like numbers first.
    order = browser.execute_script(ORDER)
    check(order == ["7", "3", "1"], f"classes by probability: {order}")

    photos = [os.path.join(drawings, name) for name in sorted(os.listdir(drawings))[:3]]
    browser.find_element(By.ID, "files").send_keys("\n".join(photos))
    wait_for(lambda: len(cards()) == 3, "three answers")
    for card in cards():
        check(card.find_element(By.CLASS_NAME, "answer").text.startswith(("cat, ", "dog, ")), card.text)
        images = card.find_elements(By.TAG_NAME, "img")
        check(len(images) == 2, "photo and overlay")
        wait_for(lambda: all(browser.execute_script("return arguments[0].naturalWidth", i) > 0 for i in images), "pictures", 10)
    check_screens(browser, folder, "serve")

    # Dropped, without Grad-CAM.
    browser.find_element(By.ID, "clear").click()
    browser.find_element(By.ID, "cam").click()
    bad = os.path.join(scratch, "notes.jpg")
    with open(bad, "w", encoding="utf-8") as file:
        file.write("no picture")
    large = os.path.join(scratch, "large.jpg")
    with open(large, "wb") as file:
        file.truncate(11 << 20)
    browser.execute_script("""const i = document.createElement('input'); i.type = 'file'; i.multiple = true; i.id = 'more';
                              document.body.append(i)""")
    source = browser.find_element(By.ID, "more")
    source.send_keys("\n".join([photos[0], bad, large]))
    browser.execute_script(DROP, source, browser.find_element(By.ID, "drop"))
    wait_for(lambda: len(cards()) == 3, "three answers to what was dropped")
    texts = [card.text for card in cards()]  # the newest first
    check("is larger than 10 MB" in texts[0], texts[0])
    check("is not a JPEG, PNG or BMP file" in texts[1], texts[1])
    check("%" in texts[2] and len(cards()[2].find_elements(By.TAG_NAME, "img")) == 1, texts[2])

    outside = [url for url in tools.requests_since_last(browser) if not url.startswith((address, "blob:" + address))]
    check(not outside, f"asked for {outside}")
    complaints = [m for m in tools.messages(browser) if " 415 " not in m]  # that status is the answer to notes.jpg
    check(not complaints, complaints)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--screenshots", help="folder for pictures of both pages")
    arguments = parser.parse_args()
    program = os.path.abspath(arguments.program)
    if subprocess.run([program, "serve", "--help"], capture_output=True).returncode != 0:
        tools.skip("the program was built without cpp-httplib")
    browser = tools.open_browser()
    try:
        with tempfile.TemporaryDirectory(prefix="minicnn_serve_") as folder:
            drawings = os.path.join(folder, "drawings")
            run(program, "generate", "--out", drawings, "--images", 160, "--seed", 3)
            runs = []
            for name, rate in (("gentle", 0.005), ("brisk", 0.02)):
                runs.append(os.path.join(folder, name))
                run(program, "train", "--data", drawings, "--out", runs[-1], "--model", "alexnet-small", "--image-size", 64,
                    "--epochs", 4, "--batch-size", 16, "--val-fraction", 0.3, "--learning-rate", rate)
            page = os.path.join(folder, "compare.html")
            run(program, "compare", *runs, "--out", page)
            check_compare(browser, page, arguments.screenshots)

            server = subprocess.Popen([program, "serve", "--weights", os.path.join(runs[0], "best.safetensors"), "--port", "0"],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                address = server.stdout.readline().strip()
                check_serve(browser, address, drawings, arguments.screenshots, folder)
            finally:
                server.send_signal(signal.SIGINT)
                code = server.wait(20)
            check(code == 0, f"serve ended with {code}")
            check_token(browser, program, os.path.join(runs[0], "best.safetensors"),
                        os.path.join(drawings, sorted(os.listdir(drawings))[0]))
    finally:
        tools.close_browser(browser)
    print("passed")


if __name__ == "__main__":
    main()
