"""A report page in headless Chromium."""

from selenium.webdriver.common.by import By


def played(browser, path, wide, high, scheme):
    """Open a page, and return the seconds of sound in each of its players.

    The page must show its pictures, fit the width, follow the colour scheme, load nothing, and leave the
    browser's console empty.
    """
    browser.get("about:blank")
    browser.get_log("browser")  # messages of the browser's own first page
    size = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": wide < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(path.as_uri())
    durations = browser.execute_async_script(
        "const done = arguments[0]; Promise.all([...document.querySelectorAll('audio')].map(node =>"
        " new Promise(ready => node.readyState ? ready(node.duration) :"
        " node.onloadedmetadata = node.onerror = () => ready(node.duration)))).then(done)"
    )
    broken = "return [...document.images].filter(node => !node.complete || !node.naturalWidth).length"
    assert browser.execute_script(broken) == 0 and browser.find_elements(By.TAG_NAME, "img")
    root = "const root = document.documentElement; return root.scrollWidth - root.clientWidth"
    assert browser.execute_script(root) == 0
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(253, 253, 251)", "dark": "rgb(21, 24, 28)"}[scheme]
    loaded = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert all(name.startswith("data:") for name in browser.execute_script(loaded))
    assert browser.get_log("browser") == []
    return durations
