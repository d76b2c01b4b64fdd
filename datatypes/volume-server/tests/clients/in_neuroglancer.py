"""Opens served volumes in Neuroglancer itself, and compares every pixel of a slice that it draws with the files.

usage: in_neuroglancer.py FOLDER, where FOLDER/expected.json lists volumes of uint8 by URL, with a file, an index across
z, and offset and shape, slowest axis first. The browser is that of the environment variable BROWSER, or Chromium or
Chrome on the path.
"""

import json
import os
import pathlib
import shutil
import sys

import neuroglancer
import numpy
from playwright.sync_api import sync_playwright

folder = pathlib.Path(sys.argv[1])
names = ["chromium", "chromium-browser", "google-chrome"]
browser_path = os.environ.get("BROWSER") or next(filter(None, map(shutil.which, names)), None)
assert browser_path, f"no browser: none of {', '.join(names)} is on the path"
SHADER = "#uicontrol invlerp normalized(range=[0, 255])\nvoid main() { emitGrayscale(normalized()); }"

neuroglancer.set_server_bind_address("127.0.0.1")
viewer = neuroglancer.Viewer()


def show(volume):
    """One slice, an element to a pixel, with nothing drawn over it."""
    offset, shape = volume["offset"], volume["shape"]
    with viewer.txn() as state:
        state.dimensions = neuroglancer.CoordinateSpace(names=["x", "y", "z"], units="nm", scales=[1, 1, 1])
        state.layers.clear()
        state.layers["volume"] = neuroglancer.ImageLayer(source=f"precomputed://{volume['url']}", shader=SHADER)
        state.layout = "xy"
        state.position = [offset[2] + shape[2] / 2, offset[1] + shape[1] / 2, volume["index"] + 0.5]
        state.cross_section_scale = 1
        state.show_axis_lines = state.show_default_annotations = state.show_scale_bar = False
    with viewer.config_state.txn() as config:
        config.show_ui_controls = config.show_panel_borders = False
        config.viewer_size = [shape[2], shape[1]]


volumes = json.loads((folder / "expected.json").read_text())
with sync_playwright() as playwright:
    drawing = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    browser = playwright.chromium.launch(executable_path=browser_path, args=drawing + quiet)
    page = browser.new_page(viewport={"width": 400, "height": 400})
    refused = []
    page.on("response", lambda response: response.status >= 400 and refused.append(response.url))
    for number, volume in enumerate(volumes):
        show(volume)
        if number == 0:
            page.goto(viewer.get_viewer_url())
        # A screenshot is taken when all chunks are there; a browser's turn is what is waited for here.
        taken = []
        viewer.async_screenshot(lambda reply: taken.append(reply.screenshot.image_pixels))
        for _ in range(300):
            if taken:
                break
            page.wait_for_timeout(100)
        assert taken, f"{volume['url']} isn't drawn after half a minute; refused: {refused}"
        data = numpy.fromfile(folder / volume["file"], dtype="uint8").reshape(volume["shape"])
        expected = data[volume["index"] - volume["offset"][0]]
        assert expected.any(), "a black slice compares with anything"
        for channel in range(3):
            drawn = taken[0][..., channel]
            assert drawn.shape == expected.shape, f"{drawn.shape} for {expected.shape}"
            assert numpy.array_equal(drawn, expected), f"{volume['url']}: {(drawn != expected).sum()} pixels differ"
    browser.close()
    refused = [url for url in refused if any(url.startswith(volume["url"]) for volume in volumes)]
    assert not refused, refused
print(f"{len(volumes)} volumes are drawn as they are served")
