"""What the browser tests share: headless Chromium with a record of its requests and messages, and leaving out by name."""
import json
import os
import shutil
import sys
import tempfile

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def skip(reason):
    print("SKIPPED:", reason)
    sys.exit(SKIPPED)


def open_browser(width=1280, height=900):
    """A browser with a profile of its own. Ends the test as skipped where Chromium, its driver or Selenium is not installed."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        skip("python3-selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tempfile.mkdtemp(prefix="minicnn_browser_")
    for argument in ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + profile,
                     f"--window-size={width},{height}"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(driver, log_path=os.devnull), options=options)
    browser.minicnn_profile = profile
    return browser


def close_browser(browser):
    browser.quit()
    shutil.rmtree(browser.minicnn_profile, ignore_errors=True)


def requests_since_last(browser):
    """Addresses asked for since the last call; data: addresses are parts of the page."""
    urls = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.append(message["params"]["request"]["url"])
    return [url for url in urls if not url.startswith("data:")]


def messages(browser):
    """What the page or the browser complained about."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def set_screen(browser, width, height, phone=False, dark=False):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                            {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


def full_height(browser):
    return browser.execute_script("return Math.ceil(document.documentElement.getBoundingClientRect().height)")
