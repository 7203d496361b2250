#!/usr/bin/env python3
"""Checks a static site: check_site.py FOLDER [DOCUMENT...]. Every link and picture of every page exists, also the place within a page that
a link names; nothing is loaded from another host; every DOCUMENT (a Markdown file) has a page with its title. Prints what is wrong.
"""
import html.parser
import os
import re
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.names, self.title, self.in_title = [], set(), "", False
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        self.in_title = tag == "title"
        for key, value in attributes:
            if key in ("id", "name") and value:
                self.names.add(value)
            elif key in ("href", "src") and value:
                self.links.append((tag, value))

    def handle_data(self, data):
        if self.in_title:
            self.title += data

    def handle_endtag(self, tag):
        self.in_title = False


def main():
    folder, documents = sys.argv[1], sys.argv[2:]
    pages = {name: Page(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".html")}
    faults = set()
    for name, page in pages.items():
        for tag, link in page.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme in ("http", "https", "mailto", "data"):
                if tag != "a" and url.scheme != "data":
                    faults.add(f"{name}: loads {link}")
                continue
            if url.scheme == "javascript" or not (url.path or url.fragment):
                continue
            target = urllib.parse.unquote(url.path) or name
            if not os.path.isfile(os.path.join(folder, target)):
                faults.add(f"{name}: {link} does not exist")
            elif url.fragment and target in pages and urllib.parse.unquote(url.fragment) not in pages[target].names:
                faults.add(f"{name}: {link}: no such place in that page")
    # photos.html is made by another program than the rest: where it is, something leads to it.
    if "photos.html" in pages and not any(link == "photos.html" for page in pages.values() for _, link in page.links):
        faults.add("photos.html: no page links to it")
    titles = {page.title.split(": ", 1)[-1].strip() for page in pages.values()}
    for document in documents:
        with open(document, encoding="utf-8") as file:
            title = re.search(r"^# (.*)$", file.read(), re.MULTILINE).group(1)
        if title not in titles:
            faults.add(f"{document}: no page is called {title!r}")
    for fault in sorted(faults):
        print(fault)
    print(f"{len(pages)} pages, {sum(len(page.links) for page in pages.values())} links, {len(faults)} faults")
    sys.exit(1 if faults or not pages else 0)


main()
