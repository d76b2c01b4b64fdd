"""Uses the viewer in a headless browser, and compares every pixel that it draws with the files that are served.

usage: viewer.py URL FOLDER [SCREENSHOT]

FOLDER has an image at two versions, mri-first and mri-second, labels, and a film, in files whose shapes are in shapes.json,
slowest axis first. The browser is that of the environment variable BROWSER, or Chromium or Chrome on the path.
"""

import base64
import json
import os
import pathlib
import shutil
import sys
import urllib.parse
import urllib.request

import numpy
from playwright.sync_api import sync_playwright

url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
screenshot = sys.argv[3] if len(sys.argv) > 3 else None
shapes = json.loads((folder / "shapes.json").read_text())
data = {
    name: numpy.fromfile(folder / name, dtype=shape["type"]).reshape(shape["shape"]) for name, shape in shapes.items()
}
names = ["chromium", "chromium-browser", "google-chrome"]
browser_path = os.environ.get("BROWSER") or next(filter(None, map(shutil.which, names)), None)
assert browser_path, f"no browser: none of {', '.join(names)} is on the path"

SHOWN = """expected => {
    const url = document.getElementById("slice").dataset.shown;
    if (!url) return false;
    const query = new URL(url).searchParams;
    return new URL(url).pathname.startsWith(expected.base)
        && ["axis", "index", "scale", "window"].every(name => !(name in expected) || query.get(name) === expected[name]);
}"""
PIXELS = """() => {
    const canvas = document.getElementById("slice");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let bytes = "";
    for (let at = 0; at < data.length; at += 8192) bytes += String.fromCharCode(...data.subarray(at, at + 8192));
    return [canvas.height, canvas.width, btoa(bytes)];
}"""


class Viewer:
    def __init__(self, page):
        self.page = page

    def drawn(self, base, **query):
        """The picture, once it is the one of this volume and query."""
        expected = {"base": base, **{name: str(value) for name, value in query.items()}}
        self.page.wait_for_function(SHOWN, arg=expected, timeout=20_000)
        height, width, values = self.page.evaluate(PIXELS)
        return numpy.frombuffer(base64.b64decode(values), dtype="uint8").reshape(height, width, 4)

    def check(self, name, base, axis, index, scale=0, window=(0, 255)):
        drawn = self.drawn(base, axis=axis, index=index, scale=scale, window=f"{window[0]},{window[1]}")
        expected = numpy.take(data[name], index, axis="zyx".index(axis))
        share = (expected.astype(float) - window[0]) / (window[1] - window[0])
        # Rounded half away from zero, unlike numpy's own way.
        expected = numpy.floor(numpy.clip(share * 255, 0, 255) + 0.5).astype("uint8")
        for channel in range(3):
            assert numpy.array_equal(drawn[..., channel], expected), f"{name} {axis} {index} {scale} {window}"
        assert (drawn[..., 3] == 255).all()
        return expected


def use(viewer):
    page = viewer.page
    listed = json.load(urllib.request.urlopen(f"{url}/volumes"))
    second, first = [version["version"] for version in listed[0]["versions"]]
    at_first, at_second = f"/mri/{first}/", f"/mri/{second}/"

    # The middle of the newest version.
    page.goto(url)
    depth, height, width = data["mri-second"].shape
    middle = depth // 2
    begin = viewer.check("mri-second", at_second, "z", middle)
    assert begin.any(), "a black slice compares with anything"

    # The slider, the wheel, keys, and the number.
    page.locator("#index").press("ArrowRight")
    after = viewer.check("mri-second", at_second, "z", middle + 1)
    assert (begin != after).any()
    page.locator("#slice").hover()
    page.mouse.wheel(0, 100)
    viewer.check("mri-second", at_second, "z", middle + 2)
    page.locator("#slice").press("PageDown")
    viewer.check("mri-second", at_second, "z", middle - 8)
    page.locator("#slice").press("ArrowUp")
    viewer.check("mri-second", at_second, "z", middle - 7)
    page.locator("#slice").press("End")
    viewer.check("mri-second", at_second, "z", depth - 1)
    page.locator("#number").fill(str(middle))
    page.locator("#number").press("Enter")
    blanked = viewer.check("mri-second", at_second, "z", middle)

    # Another version, at the same place.
    page.locator("#version").select_option(first)
    whole = viewer.check("mri-first", at_first, "z", middle)
    assert (blanked != whole).any()

    # Every axis.
    page.locator("#axis").select_option(label="y")
    viewer.check("mri-first", at_first, "y", height // 2)
    page.locator("#axis").select_option(label="x")
    viewer.check("mri-first", at_first, "x", width // 2)
    page.locator("#version").select_option(second)
    viewer.check("mri-second", at_second, "x", width // 2)
    page.locator("#axis").select_option(label="z")
    viewer.check("mri-second", at_second, "z", middle)

    # A window.
    page.locator("#low").fill("40")
    page.locator("#low").press("Enter")
    page.locator("#high").fill("180")
    page.locator("#high").press("Enter")
    viewer.check("mri-second", at_second, "z", middle, window=(40, 180))

    # The value under the pointer, as shown and upside down.
    box = page.locator("#slice").bounding_box()
    for flip in [False, True]:
        page.locator("#flip").set_checked(flip)
        row, column = height // 3, width // 4
        down = (height - 1 - row if flip else row) + 0.5
        page.mouse.move(box["x"] + box["width"] * (column + 0.5) / width, box["y"] + box["height"] * down / height)
        value = data["mri-second"][middle, row, column]
        text = f"z {middle} y {row} x {column} = {value}"
        page.wait_for_function(
            "text => document.getElementById('value').textContent.replace(/\\s+/g, ' ') === text", arg=text
        )
    page.locator("#flip").set_checked(False)
    page.locator("#slice").press("Shift+ArrowRight")
    value = data["mri-second"][middle, row, column + 1]
    page.wait_for_function(
        "end => document.getElementById('value').textContent.endsWith(end)", arg=f"x {column + 1}  =  {value}"
    )

    # A coarser scale, at the same depth.
    page.locator("#scale").select_option("1")
    coarse = data["mri-second"][::2, ::2, ::2]
    drawn = viewer.drawn(at_second, axis="z", scale=1, window="40,180")
    index = int(page.locator("#index").input_value())
    assert abs(index - middle / 2) <= 1 and drawn.shape[:2] == coarse.shape[1:]
    share = (coarse[index].astype(float) - 40) / 140
    assert numpy.array_equal(drawn[..., 0], numpy.floor(numpy.clip(share * 255, 0, 255) + 0.5).astype("uint8"))

    # A reload shows the same.
    page.reload()
    again = viewer.drawn(at_second, axis="z", index=index, scale=1, window="40,180")
    assert numpy.array_equal(again, drawn)

    # What Neuroglancer is handed can be read.
    link = urllib.parse.urlsplit(page.locator("#neuroglancer").get_attribute("href"))
    layer = json.loads(urllib.parse.unquote(link.fragment[1:]))["layers"][0]
    assert layer["type"] == "image" and layer["shaderControls"]["normalized"]["range"] == [40, 180]
    info = json.load(urllib.request.urlopen(layer["source"].removeprefix("precomputed://") + "/info"))
    assert info["scales"][0]["size"] == [width, height, depth]

    # Labels: every label has one colour, and zero is black.
    page.locator("#volume").select_option("nuclei")
    labels = data["nuclei"]
    middle = labels.shape[0] // 2
    drawn = viewer.drawn("/nuclei/", axis="z", index=middle, scale=0)
    colours = {}
    for label, pixel in zip(labels[middle].ravel(), drawn[..., :3].reshape(-1, 3)):
        assert colours.setdefault(int(label), tuple(pixel)) == tuple(pixel)
    assert colours[0] == (0, 0, 0) and len(set(colours.values())) == len(colours) > 5
    assert page.locator("#low").is_hidden()
    assert not page.locator("#value").text_content().strip(), "nothing was pointed at here yet"

    # A fourth axis, which begins below zero.
    page.locator("#volume").select_option("film")
    film = data["film"]
    for place in [-1, 1]:
        page.locator("#places input").fill(str(place))
        page.locator("#places input").press("Enter")
        drawn = viewer.drawn(f"/film/c4a1/at/{place}/", axis="z", index=2, window="0,255")
        assert numpy.array_equal(drawn[..., 0], film[place + 1, 2])
    assert (film[0, 2] != film[2, 2]).any()


def look(viewer):
    """Its appearance: on a phone, dark and light, and what it says when something fails."""
    page = viewer.page
    page.set_viewport_size({"width": 360, "height": 640})
    # The page answers to its new size a moment later.
    page.wait_for_function(
        """() => {
            const slice = document.getElementById("slice").getBoundingClientRect();
            const fits = innerWidth === 360 && document.documentElement.scrollWidth <= innerWidth;
            return fits && slice.width > 150 && slice.bottom <= 640;
        }"""
    )
    backs = set()
    for scheme in ["light", "dark"]:
        page.emulate_media(color_scheme=scheme)
        backs.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backs) == 2, backs
    failure = {"error": {"kind": "corrupt", "message": "the chunk is damaged", "fields": {"chunk": "(0,0,0)"}}}
    page.route("**/slice.png*", lambda route: route.fulfill(status=500, json=failure))
    page.locator("#index").press("ArrowRight")
    page.wait_for_function("() => document.getElementById('trouble').textContent.includes('is damaged (chunk: (0,0,0))')")
    page.unroute("**/slice.png*")
    page.locator("#index").press("ArrowRight")
    page.wait_for_function("() => document.getElementById('trouble').textContent === ''")


with sync_playwright() as playwright:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    browser = playwright.chromium.launch(executable_path=browser_path, args=arguments)
    page = browser.new_page(viewport={"width": 1180, "height": 760}, color_scheme="dark")
    elsewhere, troubles = [], []
    page.on("request", lambda request: request.url.startswith((url, "data:", "blob:")) or elsewhere.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    viewer = Viewer(page)
    use(viewer)
    assert not troubles, troubles
    look(viewer)
    if screenshot:
        page.set_viewport_size({"width": 1180, "height": 760})
        page.emulate_media(color_scheme="dark")
        page.goto("about:blank")
        page.goto(f"{url}/#volume=mri&axis=0&index=95")
        viewer.drawn("/mri/", axis="z", index=95)
        canvas = page.locator("#slice").bounding_box()
        page.mouse.move(canvas["x"] + canvas["width"] * 0.3, canvas["y"] + canvas["height"] * 0.4)
        page.wait_for_function("() => document.getElementById('value').textContent.includes('=')")
        page.screenshot(path=screenshot)
    browser.close()
    assert not elsewhere, elsewhere
    assert not troubles, troubles
print("the viewer shows what is served")
