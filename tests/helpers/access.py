"""What people who do not point with a mouse, or do not see well, need of a page; asked of the browser."""

from __future__ import annotations

from typing import Any

_CONTROLS = {
    "button", "checkbox", "combobox", "image", "img", "link", "listbox", "menuitem", "meter",
    "progressIndicator", "radio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox",
}  # fmt: skip
_CONTRAST = """
const luminance = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const parsed = (text) => {
  const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number);
  return [r, g, b, a ?? 1];
};
const over = (top, below) => [...top.slice(0, 3).map((v, k) => v * top[3] + below[k] * (1 - top[3])), 1];
const ground = (e) => {
  const own = parsed(getComputedStyle(e).backgroundColor);
  if (own[3] === 1) return own;
  return over(own, e.parentElement ? ground(e.parentElement) : [255, 255, 255, 1]);
};
const texts = (e) => [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
const out = ':disabled, svg, option, script';
const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(out);
return [...document.body.querySelectorAll('*')].filter((e) => texts(e) && seen(e)).map((e) => {
  const below = ground(e);
  const [a, b] = [luminance(over(parsed(getComputedStyle(e).color), below)), luminance(below)];
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), `${e.tagName}#${e.id}.${e.className}`];
});
"""
_FOCUS = """
const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
return [`${e.tagName}#${e.id} ${e.textContent.trim().slice(0, 30)}`, e === document.body, ring,
        box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth];
"""


def nameless(driver: Any) -> list[str]:
    """Controls and pictures without a name, as the browser tells screen readers of them."""
    driver.execute_cdp_cmd("Accessibility.enable", {})
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    told = [node for node in nodes if not node.get("ignored")]
    controls = [node for node in told if node.get("role", {}).get("value") in _CONTROLS]
    assert controls
    return [
        f"{node['role']['value']} {node.get('properties')}"
        for node in controls
        if not node.get("name", {}).get("value", "").strip()
    ]


def contrasts(driver: Any) -> list[tuple[float, str]]:
    """Contrast of every text on its ground, by WCAG 2, and whose it is; weakest first."""
    return sorted((float(ratio), str(name)) for ratio, name in driver.execute_script(_CONTRAST))


def hidden_focus(driver: Any, most: int = 60) -> tuple[int, list[str]]:
    """Go through the page by Tab: how many stops there are, and those where one does not see to be there."""
    from selenium.webdriver.common.keys import Keys

    driver.execute_script(
        "document.documentElement.style.scrollBehavior = 'auto';document.activeElement.blur(); scrollTo(0, 0)"
    )
    stops, unseen = 0, []
    for _ in range(most):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        name, body, ring, there = driver.execute_script(_FOCUS)
        if body:
            break
        stops += 1
        if not ring or not there:
            unseen.append(name)
    return stops, unseen
